import org.eclipse.californium.scandium.ConnectionListener;
import org.eclipse.californium.scandium.dtls.Connection;
import org.eclipse.californium.scandium.dtls.DTLSContext;

/** Prints every handshake that came to its end, with the connection ids agreed on ("-" for none). */
final class ConnectionPrinter implements ConnectionListener {
    @Override
    public void onConnectionEstablished(Connection connection) {
        DTLSContext context = connection.getEstablishedDtlsContext();
        EventPrinter.print("connected cid-in=" + text(context.getReadConnectionId())
                + " cid-out=" + text(context.getWriteConnectionId()));
    }

    @Override
    public void onConnectionRemoved(Connection connection) {
        EventPrinter.print("disconnected");
    }

    @Override
    public boolean onConnectionUpdatesSequenceNumbers(Connection connection, boolean writeSequenceNumber) {
        return false;
    }

    @Override
    public boolean onConnectionMacError(Connection connection) {
        return false;
    }

    @Override
    public void beforeExecution(Connection connection) {
    }

    @Override
    public void updateExecution(Connection connection) {
    }

    @Override
    public void afterExecution(Connection connection) {
    }

    private static String text(org.eclipse.californium.elements.util.Bytes id) {
        return id == null ? "-" : id.getAsString();
    }
}
