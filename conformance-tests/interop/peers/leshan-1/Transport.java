import java.util.Map;
import org.eclipse.californium.scandium.ConnectionListener;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.Connection;
import org.eclipse.californium.scandium.dtls.ConnectionId;
import org.eclipse.californium.scandium.dtls.DTLSSession;
import org.eclipse.californium.scandium.dtls.SingleNodeConnectionIdGenerator;

/**
 * DTLS as the option says: --cid N for connection ids of N bytes for this side, 0 for those of the server only. Prints every
 * handshake that came to its end, with the connection ids agreed on ("-" for none).
 */
final class Transport {
    private static final int RETRANSMISSION_MS = 1_000;

    private Transport() {
    }

    static DtlsConnectorConfig.Builder of(Map<String, String> options) {
        DtlsConnectorConfig.Builder builder = new DtlsConnectorConfig.Builder();
        builder.setRetransmissionTimeout(RETRANSMISSION_MS);
        if (options.containsKey("cid")) {
            builder.setConnectionIdGenerator(new SingleNodeConnectionIdGenerator(Integer.parseInt(options.get("cid"))));
        }
        builder.setConnectionListener(new ConnectionListener() {
            @Override
            public void onConnectionEstablished(Connection connection) {
                DTLSSession session = connection.getEstablishedSession();
                EventPrinter.print("connected cid-in=" + text(session.getReadConnectionId())
                        + " cid-out=" + text(session.getWriteConnectionId()));
            }

            @Override
            public void onConnectionRemoved(Connection connection) {
                EventPrinter.print("disconnected");
            }
        });
        return builder;
    }

    private static String text(ConnectionId id) {
        return id == null ? "-" : id.getAsString();
    }
}
