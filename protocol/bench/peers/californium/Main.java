import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Arrays;
import org.eclipse.californium.core.CoapResource;
import org.eclipse.californium.core.CoapServer;
import org.eclipse.californium.core.coap.CoAP.ResponseCode;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.core.server.resources.CoapExchange;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.config.UdpConfig;

/**
 * Serves GET /e with as many bytes as asked for: arguments port and bytes. Deduplication is Californium's bounded one, 64 messages a peer
 * with their answers, which is what our endpoint keeps; one thread for each stage, as there is one core. All else is its default.
 */
public final class Main {
  public static void main(String[] arguments) throws Exception {
    CoapConfig.register();
    UdpConfig.register();
    Configuration configuration = new Configuration()
        .set(CoapConfig.DEDUPLICATOR, CoapConfig.DEDUPLICATOR_PEERS_MARK_AND_SWEEP)
        .set(CoapConfig.PEERS_MARK_AND_SWEEP_MESSAGES, 64)
        .set(CoapConfig.PROTOCOL_STAGE_THREAD_COUNT, 1)
        .set(UdpConfig.UDP_RECEIVER_THREAD_COUNT, 1)
        .set(UdpConfig.UDP_SENDER_THREAD_COUNT, 1);
    byte[] body = new byte[Integer.parseInt(arguments[1])];
    Arrays.fill(body, (byte) 'a');

    CoapServer server = new CoapServer(configuration);
    server.addEndpoint(new CoapEndpoint.Builder()
        .setConfiguration(configuration)
        .setInetSocketAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0])))
        .build());
    server.add(new CoapResource("e") {
      @Override
      public void handleGET(CoapExchange exchange) {
        exchange.respond(ResponseCode.CONTENT, body);
      }
    });
    server.start();
    System.out.println("ready");
    // Ends with the benchmark: its end of the pipe closes even when it is killed.
    while (System.in.read() >= 0) continue;
    System.exit(0);
  }
}
