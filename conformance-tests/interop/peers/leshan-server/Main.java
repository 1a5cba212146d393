import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.ResourceModel.Operations;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.californium.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.server.californium.endpoint.coap.CoapServerProtocolProvider;
import org.eclipse.leshan.server.californium.endpoint.coaps.CoapsServerProtocolProvider;
import org.eclipse.leshan.server.model.VersionedModelProvider;

/**
 * A Leshan server as a test peer: `--port N` (0 takes a free one) on loopback, beside it CoAP over DTLS on a free port, with
 * connection ids, for those whom Keys names. It prints one JSON object per line for
 * whatever happens and takes the commands of Commands, one a line. The end of standard input stops it.
 */
public final class Main {
    private static final int CID_BYTES = 6;

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) options.put(arguments[i].substring(2), arguments[i + 1]);
        int port = Integer.parseInt(options.getOrDefault("port", "0"));
        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadAllDefault());
        models.add(temperature("1.0"));
        models.add(temperature("1.1"));

        LeshanServerBuilder builder = new LeshanServerBuilder();
        builder.setEndpointsProviders(
                new CaliforniumServerEndpointsProvider.Builder(new CoapServerProtocolProvider(), new CoapsServerProtocolProvider())
                        .setConfiguration((Configuration settings) -> settings.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, CID_BYTES))
                        .addEndpoint(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), Protocol.COAP)
                        .addEndpoint(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), Protocol.COAPS)
                        .build());
        builder.setSecurityStore(Keys.store(options));
        if (options.containsKey("key")) {
            builder.setPrivateKey(Keys.privateKey(options.get("key")));
            builder.setPublicKey(Keys.publicKey(options.get("public")));
        }
        builder.setObjectModelProvider(new VersionedModelProvider(models));
        LeshanServer server = builder.build();
        server.getRegistrationService().addListener(new RegistrationPrinter());
        server.getObservationService().addListener(new NotificationPrinter());
        server.start();
        Json.print(Map.of("event", "listening", "port", server.getEndpoint(Protocol.COAP).getURI().getPort(),
                "securedPort", server.getEndpoint(Protocol.COAPS).getURI().getPort()));

        Commands commands = new Commands(server);
        try (Scanner lines = new Scanner(System.in)) {
            while (lines.hasNextLine()) {
                String line = lines.nextLine().trim();
                if (line.equals("quit")) break;
                if (!line.isEmpty()) commands.run(line);
            }
        }
        server.destroy();
        System.exit(0);
    }

    /** Version 1.1 adds what stands last (OMA registry). */
    private static ObjectModel temperature(String version) {
        List<ResourceModel> resources = new ArrayList<>(List.of(
                resource(5601, Operations.R, Type.FLOAT),
                resource(5602, Operations.R, Type.FLOAT),
                resource(5603, Operations.R, Type.FLOAT),
                resource(5604, Operations.R, Type.FLOAT),
                resource(5605, Operations.E, Type.NONE),
                resource(5700, Operations.R, Type.FLOAT),
                resource(5701, Operations.R, Type.STRING)));
        if (version.equals("1.1")) {
            resources.add(resource(5518, Operations.R, Type.TIME));
            resources.add(resource(5750, Operations.RW, Type.STRING));
            resources.add(resource(6042, Operations.R, Type.INTEGER));
            resources.add(resource(6049, Operations.R, Type.INTEGER));
            resources.add(resource(6050, Operations.R, Type.FLOAT));
        }
        return new ObjectModel(3303, "Temperature", "", version, true, false, resources);
    }

    private static ResourceModel resource(int id, Operations operations, Type type) {
        boolean mandatory = id == 5700;
        return new ResourceModel(id, "Resource " + id, operations, false, mandatory, type, "", "", "");
    }
}
