import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import org.eclipse.leshan.core.link.Link;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;

final class RegistrationPrinter implements RegistrationListener {
    @Override
    public void registered(Registration registration, Registration previous, Collection<Observation> observations) {
        print("registered", registration);
    }

    @Override
    public void updated(RegistrationUpdate update, Registration updated, Registration previous) {
        print("updated", updated);
    }

    @Override
    public void unregistered(
            Registration registration, Collection<Observation> observations, boolean expired, Registration next) {
        print(expired ? "expired" : "deregistered", registration);
    }

    static void print(String event, Registration registration) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("event", event);
        line.put("endpoint", registration.getEndpoint());
        line.put("peer", registration.getClientTransportData().getIdentity().toString());
        line.put("lwm2m", registration.getLwM2mVersion().toString());
        line.put("lifetime", registration.getLifeTimeInSec());
        line.put("binding", BindingMode.toString(registration.getBindingMode()));
        line.put("queue", registration.getQueueMode());
        StringBuilder links = new StringBuilder();
        for (Link link : registration.getSortedObjectLinks()) {
            if (links.length() > 0) links.append(',');
            links.append(link.toCoreLinkFormat());
        }
        line.put("links", links.toString());
        Json.print(line);
    }
}
