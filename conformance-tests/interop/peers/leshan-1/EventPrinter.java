import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.servers.ServerIdentity;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.DeregisterRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;

/** Prints what becomes of the client's own requests. */
final class EventPrinter extends LwM2mClientObserverAdapter {
    /** Lines come from several threads; each must stay whole. */
    static synchronized void print(String line) {
        System.out.println(line);
        System.out.flush();
    }

    @Override
    public void onBootstrapSuccess(ServerIdentity server, BootstrapRequest request) {
        print("bootstrapped");
    }

    @Override
    public void onBootstrapFailure(
            ServerIdentity server, BootstrapRequest request, ResponseCode code, String message, Exception cause) {
        print("bootstrap-failed " + code + " " + message);
    }

    @Override
    public void onBootstrapTimeout(ServerIdentity server, BootstrapRequest request) {
        print("bootstrap-timeout");
    }

    @Override
    public void onRegistrationSuccess(ServerIdentity server, RegisterRequest request, String registrationId) {
        print("registered " + registrationId);
    }

    @Override
    public void onRegistrationFailure(
            ServerIdentity server, RegisterRequest request, ResponseCode code, String message, Exception cause) {
        print("registration-failed " + code + " " + message);
    }

    @Override
    public void onRegistrationTimeout(ServerIdentity server, RegisterRequest request) {
        print("registration-timeout");
    }

    @Override
    public void onUpdateSuccess(ServerIdentity server, UpdateRequest request) {
        print("updated");
    }

    @Override
    public void onUpdateFailure(
            ServerIdentity server, UpdateRequest request, ResponseCode code, String message, Exception cause) {
        print("update-failed " + code + " " + message);
    }

    @Override
    public void onUpdateTimeout(ServerIdentity server, UpdateRequest request) {
        print("update-timeout");
    }

    @Override
    public void onDeregistrationSuccess(ServerIdentity server, DeregisterRequest request) {
        print("deregistered");
    }

    @Override
    public void onDeregistrationFailure(
            ServerIdentity server, DeregisterRequest request, ResponseCode code, String message, Exception cause) {
        print("deregistration-failed " + code + " " + message);
    }
}
