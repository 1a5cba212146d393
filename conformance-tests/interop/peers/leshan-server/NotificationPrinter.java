import java.util.Map;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.registration.Registration;

final class NotificationPrinter implements ObservationListener {
    @Override
    public void newObservation(Observation observation, Registration registration) {
    }

    @Override
    public void cancelled(Observation observation) {
    }

    @Override
    public void onResponse(SingleObservation observation, Registration registration, ObserveResponse response) {
        Json.print(Map.of(
                "event", "notification",
                "endpoint", registration.getEndpoint(),
                "path", observation.getPath().toString(),
                "code", response.getCode().getCode(),
                "value", response.getContent() == null ? "" : Json.of(response.getContent())));
    }

    @Override
    public void onResponse(
            CompositeObservation observation, Registration registration, ObserveCompositeResponse response) {
        Json.print(Map.of("event", "composite-notification", "endpoint", registration.getEndpoint(),
                "code", response.getCode().getCode()));
    }

    @Override
    public void onError(Observation observation, Registration registration, Exception cause) {
        Json.print(Map.of("event", "notification-error", "error", String.valueOf(cause)));
    }
}
