import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.californium.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.server.californium.endpoint.coap.CoapServerProtocolProvider;

/**
 * A Leshan server on loopback, its registrations in memory: argument port. Nobody listens to it, and it prints nothing after its start.
 * Deduplication is Californium's bounded one, 64 messages a peer with their answers, which is what our endpoint keeps; all else is its default.
 */
public final class Main {
  public static void main(String[] arguments) throws Exception {
    System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
    LeshanServerBuilder builder = new LeshanServerBuilder();
    builder.setEndpointsProviders(
        new CaliforniumServerEndpointsProvider.Builder(new CoapServerProtocolProvider())
            .setConfiguration((Configuration settings) -> settings
                .set(CoapConfig.DEDUPLICATOR, CoapConfig.DEDUPLICATOR_PEERS_MARK_AND_SWEEP)
                .set(CoapConfig.PEERS_MARK_AND_SWEEP_MESSAGES, 64))
            .addEndpoint(new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0])), Protocol.COAP)
            .build());
    LeshanServer server = builder.build();
    server.start();
    System.out.println("ready");
    // Ends with the benchmark: its end of the pipe closes even when it is killed.
    while (System.in.read() >= 0) continue;
    System.exit(0);
  }
}
