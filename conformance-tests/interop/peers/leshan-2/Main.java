import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.engine.DefaultRegistrationEngineFactory;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.LwM2mId;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.request.ContentFormat;

/**
 * A Leshan 2 client (LwM2M 1.1) as a test peer: one line on standard output per thing that happened to it, commands on
 * standard input (update, send PATH, quit). The end of standard input counts as quit, so that it never outlives its test.
 * Account has the options for keys, Transport those for DTLS; --firmware VERSION adds object 5, which becomes that version.
 */
public final class Main {
    private static final long SEND_MS = 20_000;

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = parse(arguments);
        String endpoint = options.getOrDefault("endpoint", "leshan-2");
        long lifetimeSeconds = Long.parseLong(options.getOrDefault("lifetime", "60"));

        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadDefault());
        models.add(Temperature.model());
        ObjectsInitializer initializer = new ObjectsInitializer(new StaticModel(models));
        if (options.containsKey("bootstrap")) {
            initializer.setInstancesForObject(LwM2mId.SECURITY, Account.of(options.get("bootstrap"), null, options));
            initializer.setClassForObject(LwM2mId.SERVER, Server.class);
        } else {
            initializer.setInstancesForObject(LwM2mId.SECURITY, Account.of(options.get("server"), 123, options));
            initializer.setInstancesForObject(LwM2mId.SERVER, new Server(123, lifetimeSeconds));
        }
        initializer.setInstancesForObject(LwM2mId.DEVICE, new TestDevice());
        initializer.setInstancesForObject(Temperature.OBJECT, new Temperature(), new Temperature());
        Firmware firmware = new Firmware();
        if (options.containsKey("firmware")) initializer.setInstancesForObject(LwM2mId.FIRMWARE, firmware);

        DefaultRegistrationEngineFactory engine = new DefaultRegistrationEngineFactory();
        engine.setQueueMode(options.containsKey("queue"));
        engine.setRetryWaitingTimeInMs(1_000);
        if (options.containsKey("update-every")) {
            engine.setCommunicationPeriod(Integer.parseInt(options.get("update-every")) * 1_000);
        }

        LeshanClientBuilder builder = new LeshanClientBuilder(endpoint);
        builder.setObjects(initializer.createAll());
        builder.setRegistrationEngineFactory(engine);
        builder.setEndpointsProviders(Transport.of(options));
        LeshanClient client = builder.build();
        firmware.attach(client, options.getOrDefault("firmware", ""));
        client.addObserver(new EventPrinter());
        client.getObjectTree().addListener(new InstancePrinter());
        client.start();
        EventPrinter.print("started " + endpoint);

        try (Scanner commands = new Scanner(System.in)) {
            while (commands.hasNextLine()) {
                String command = commands.nextLine().trim();
                if (command.equals("quit")) break;
                if (command.equals("update")) client.triggerRegistrationUpdate();
                if (command.startsWith("send ")) send(client, command.substring("send ".length()));
            }
        }
        client.destroy(true);
        EventPrinter.print("stopped");
        System.exit(0);
    }

    private static void send(LeshanClient client, String path) {
        for (LwM2mServer server : client.getRegisteredServers().values()) {
            client.getSendService().sendData(server, ContentFormat.SENML_CBOR, List.of(path), SEND_MS,
                    response -> EventPrinter.print("sent " + response.getCode()),
                    cause -> EventPrinter.print("send-failed " + cause));
        }
    }

    /** "--name value" and bare "--name" (followed by another option or nothing). */
    private static Map<String, String> parse(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < arguments.length; i++) {
            boolean hasValue = i + 1 < arguments.length && !arguments[i + 1].startsWith("--");
            options.put(arguments[i].substring(2), hasValue ? arguments[i + 1] : "");
            if (hasValue) i++;
        }
        return options;
    }
}
