import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.leshan.client.californium.endpoint.CaliforniumClientEndpointFactory;
import org.eclipse.leshan.client.californium.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.client.californium.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.client.californium.endpoint.coaps.CoapsClientEndpointFactory;
import org.eclipse.leshan.client.californium.endpoint.coaps.CoapsClientProtocolProvider;

/**
 * CoAP over UDP and DTLS as the options say:
 *
 *   --cid N      connection ids (RFC 9146) of N bytes for this side; 0 takes those of the server only; without it none
 *   --mtu N      bytes of a datagram in the handshake
 *   --block N    bytes of a block
 */
final class Transport {
    private static final int BODY_BYTES = 1_000_000;

    private Transport() {
    }

    static CaliforniumClientEndpointsProvider of(Map<String, String> options) {
        CaliforniumClientEndpointsProvider.Builder builder = new CaliforniumClientEndpointsProvider.Builder(
                new CoapClientProtocolProvider(), new CoapsClientProtocolProvider() {
                    @Override
                    public CaliforniumClientEndpointFactory createDefaultEndpointFactory() {
                        return new CoapsClientEndpointFactory() {
                            @Override
                            protected DtlsConnectorConfig.Builder createRootDtlsConnectorConfigBuilder(Configuration settings) {
                                return super.createRootDtlsConnectorConfigBuilder(settings)
                                        .setConnectionListener(new ConnectionPrinter());
                            }
                        };
                    }
                });
        Configuration settings = builder.createDefaultConfiguration();
        settings.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, BODY_BYTES);
        // A lost datagram of a handshake costs little on loopback.
        settings.set(DtlsConfig.DTLS_RETRANSMISSION_TIMEOUT, 1_000, TimeUnit.MILLISECONDS);
        if (options.containsKey("cid")) {
            settings.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, Integer.parseInt(options.get("cid")));
        } else {
            settings.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, null);
        }
        if (options.containsKey("mtu")) {
            settings.set(DtlsConfig.DTLS_MAX_TRANSMISSION_UNIT, Integer.parseInt(options.get("mtu")));
        }
        if (options.containsKey("block")) {
            int bytes = Integer.parseInt(options.get("block"));
            settings.set(CoapConfig.PREFERRED_BLOCK_SIZE, bytes);
            settings.set(CoapConfig.MAX_MESSAGE_SIZE, bytes);
        }
        return builder.setConfiguration(settings).build();
    }
}
