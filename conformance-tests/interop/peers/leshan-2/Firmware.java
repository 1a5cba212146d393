import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.eclipse.californium.core.CoapClient;
import org.eclipse.californium.core.CoapResponse;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.californium.endpoint.CaliforniumClientEndpoint;
import org.eclipse.leshan.client.resource.BaseInstanceEnabler;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/** Object 5 with the pull path: fetches what Package URI names over the client's own endpoint, and is of the given version after Update. */
public final class Firmware extends BaseInstanceEnabler {
    private static final int PACKAGE_URI = 1;
    private static final int UPDATE = 2;
    private static final int STATE = 3;
    private static final int RESULT = 5;
    private static final int PROTOCOLS = 8;
    private static final int DELIVERY = 9;
    private static final long COAPS = 1;
    private static final long PULL = 0;
    private static final long IDLE = 0;
    private static final long DOWNLOADING = 1;
    private static final long DOWNLOADED = 2;
    private static final long SUCCESS = 1;
    private static final long NO_CONNECTION = 4;
    private static final long DOWNLOAD_MS = 60_000;

    /** What /3/0/3 shows. */
    static volatile String version = "1.0.0";

    private final ExecutorService worker = Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(task, "firmware");
        thread.setDaemon(true);
        return thread;
    });
    private LeshanClient client;
    private String nextVersion = "";
    private String uri = "";
    private long state = IDLE;
    private long result = 0;

    /** The client whose endpoint it fetches by, and the version after Update. */
    void attach(LeshanClient client, String nextVersion) {
        this.client = client;
        this.nextVersion = nextVersion;
    }

    @Override
    public synchronized ReadResponse read(LwM2mServer server, int resource) {
        switch (resource) {
            case PACKAGE_URI: return ReadResponse.success(resource, uri);
            case STATE: return ReadResponse.success(resource, state);
            case RESULT: return ReadResponse.success(resource, result);
            case PROTOCOLS: return ReadResponse.success(resource, Map.of(0, COAPS), Type.INTEGER);
            case DELIVERY: return ReadResponse.success(resource, PULL);
            default: return super.read(server, resource);
        }
    }

    @Override
    public synchronized WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
        if (resource != PACKAGE_URI) return super.write(server, replace, resource, value);
        uri = (String) value.getValue();
        show(uri.isEmpty() ? IDLE : DOWNLOADING, 0);
        if (!uri.isEmpty()) worker.execute(() -> fetch(server, uri));
        return WriteResponse.success();
    }

    @Override
    public synchronized ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
        if (resource != UPDATE) return super.execute(server, resource, arguments);
        if (state != DOWNLOADED) return ExecuteResponse.methodNotAllowed();
        version = nextVersion;
        show(IDLE, SUCCESS);
        EventPrinter.print("installed " + version);
        return ExecuteResponse.success();
    }

    @Override
    public List<Integer> getAvailableResourceIds(ObjectModel model) {
        return Arrays.asList(0, PACKAGE_URI, UPDATE, STATE, RESULT, PROTOCOLS, DELIVERY);
    }

    private void fetch(LwM2mServer server, String from) {
        try {
            CoapClient fetcher = new CoapClient(from).setTimeout(DOWNLOAD_MS);
            fetcher.setEndpoint(((CaliforniumClientEndpoint) client.getEndpoint(server)).getCoapEndpoint());
            CoapResponse response = fetcher.get();
            if (response == null || !response.isSuccess()) {
                EventPrinter.print("download-failed " + (response == null ? "timeout" : response.getCode()));
                show(IDLE, NO_CONNECTION);
                return;
            }
            byte[] bytes = response.getPayload();
            EventPrinter.print("downloaded " + bytes.length + " "
                    + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)));
            show(DOWNLOADED, 0);
        } catch (Exception cause) {
            EventPrinter.print("download-failed " + cause);
            show(IDLE, NO_CONNECTION);
        }
    }

    private void show(long newState, long newResult) {
        synchronized (this) {
            state = newState;
            result = newResult;
        }
        fireResourceChange(STATE);
        fireResourceChange(RESULT);
    }
}
