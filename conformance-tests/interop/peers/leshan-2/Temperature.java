import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.eclipse.leshan.client.resource.BaseInstanceEnabler;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.ResourceModel.Operations;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/** Object 3303: a value that moves every second, instances that the server may create and delete. */
public final class Temperature extends BaseInstanceEnabler {
    static final int OBJECT = 3303;
    private static final int MIN_MEASURED = 5601;
    private static final int MAX_MEASURED = 5602;
    private static final int RESET = 5605;
    private static final int SENSOR_VALUE = 5700;
    private static final int SENSOR_UNITS = 5701;
    private static final int APPLICATION_TYPE = 5750;

    private static final ScheduledExecutorService TICKER = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "temperature");
        thread.setDaemon(true);
        return thread;
    });

    private final Random random = new Random(OBJECT);
    private final ScheduledFuture<?> ticking;
    private double value = 20.0;
    private double min = 20.0;
    private double max = 20.0;
    private String applicationType = "";

    public Temperature() {
        ticking = TICKER.scheduleAtFixedRate(this::move, 1, 1, TimeUnit.SECONDS);
    }

    @Override
    public synchronized ReadResponse read(LwM2mServer server, int resource) {
        switch (resource) {
            case MIN_MEASURED: return ReadResponse.success(resource, min);
            case MAX_MEASURED: return ReadResponse.success(resource, max);
            case SENSOR_VALUE: return ReadResponse.success(resource, value);
            case SENSOR_UNITS: return ReadResponse.success(resource, "Cel");
            case APPLICATION_TYPE: return ReadResponse.success(resource, applicationType);
            default: return super.read(server, resource);
        }
    }

    @Override
    public synchronized WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource written) {
        if (resource != APPLICATION_TYPE) return super.write(server, replace, resource, written);
        applicationType = (String) written.getValue();
        EventPrinter.print("written /3303/" + getId() + "/" + resource + " " + applicationType);
        fireResourceChange(resource);
        return WriteResponse.success();
    }

    @Override
    public synchronized ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
        if (resource != RESET) return super.execute(server, resource, arguments);
        min = max = value;
        EventPrinter.print("executed /3303/" + getId() + "/" + resource);
        return ExecuteResponse.success();
    }

    @Override
    public void reset(int resource) {
        if (resource == APPLICATION_TYPE) applicationType = "";
    }

    @Override
    public void onDelete(LwM2mServer server) {
        ticking.cancel(false);
    }

    @Override
    public List<Integer> getAvailableResourceIds(ObjectModel model) {
        return Arrays.asList(MIN_MEASURED, MAX_MEASURED, RESET, SENSOR_VALUE, SENSOR_UNITS, APPLICATION_TYPE);
    }

    private void move() {
        synchronized (this) {
            // Never zero, so that every tick is a change.
            int tenths = (1 + random.nextInt(9)) * (random.nextBoolean() ? 1 : -1);
            value = Math.round(value * 10 + tenths) / 10.0;
            min = Math.min(min, value);
            max = Math.max(max, value);
        }
        try {
            fireResourceChange(SENSOR_VALUE);
        } catch (RuntimeException cause) {
            // The client is still being built, on a slow machine; an exception would end the ticking.
            EventPrinter.print("unheard-change " + cause);
        }
    }

    static ObjectModel model() {
        return new ObjectModel(OBJECT, "Temperature", "", "1.1", true, false,
                resource(RESET, "Reset Min and Max Measured Values", Operations.E, Type.NONE, false),
                resource(MIN_MEASURED, "Min Measured Value", Operations.R, Type.FLOAT, false),
                resource(MAX_MEASURED, "Max Measured Value", Operations.R, Type.FLOAT, false),
                resource(SENSOR_VALUE, "Sensor Value", Operations.R, Type.FLOAT, true),
                resource(SENSOR_UNITS, "Sensor Units", Operations.R, Type.STRING, false),
                resource(APPLICATION_TYPE, "Application Type", Operations.RW, Type.STRING, false));
    }

    private static ResourceModel resource(int id, String name, Operations operations, Type type, boolean mandatory) {
        return new ResourceModel(id, name, operations, false, mandatory, type, "", "", "");
    }
}
