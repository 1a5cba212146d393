import org.eclipse.leshan.client.resource.LwM2mObjectEnabler;
import org.eclipse.leshan.client.resource.listener.ObjectsListenerAdapter;

/** Prints object instances that the server made or removed. */
final class InstancePrinter extends ObjectsListenerAdapter {
    @Override
    public void objectInstancesAdded(LwM2mObjectEnabler object, int... instances) {
        for (int instance : instances) EventPrinter.print("created /" + object.getId() + "/" + instance);
    }

    @Override
    public void objectInstancesRemoved(LwM2mObjectEnabler object, int... instances) {
        for (int instance : instances) EventPrinter.print("deleted /" + object.getId() + "/" + instance);
    }
}
