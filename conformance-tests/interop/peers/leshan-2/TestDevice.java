import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;
import org.eclipse.leshan.client.resource.BaseInstanceEnabler;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/** Object 3 with a value of every kind the object has; 14 and 15 are writable, 4 is executable. */
public final class TestDevice extends BaseInstanceEnabler {
    private String utcOffset = "+00";
    private String timezone = "Etc/UTC";

    @Override
    public ReadResponse read(LwM2mServer server, int resource) {
        switch (resource) {
            case 0: return ReadResponse.success(resource, "Test Manufacturer");
            case 1: return ReadResponse.success(resource, "Model 2");
            case 2: return ReadResponse.success(resource, "SN-0002");
            case 3: return ReadResponse.success(resource, Firmware.version);
            case 6: return ReadResponse.success(resource, Map.of(0, 1L, 1, 5L), Type.INTEGER);
            case 7: return ReadResponse.success(resource, Map.of(0, 3800L, 1, 5000L), Type.INTEGER);
            case 9: return ReadResponse.success(resource, 95L);
            case 11: return ReadResponse.success(resource, Map.of(0, 0L), Type.INTEGER);
            case 13: return ReadResponse.success(resource, new Date());
            case 14: return ReadResponse.success(resource, utcOffset);
            case 15: return ReadResponse.success(resource, timezone);
            case 16: return ReadResponse.success(resource, "U");
            default: return super.read(server, resource);
        }
    }

    @Override
    public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
        if (resource == 14) utcOffset = (String) value.getValue();
        else if (resource == 15) timezone = (String) value.getValue();
        else return super.write(server, replace, resource, value);
        EventPrinter.print("written /3/0/" + resource + " " + value.getValue());
        fireResourceChange(resource);
        return WriteResponse.success();
    }

    @Override
    public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
        if (resource != 4) return super.execute(server, resource, arguments);
        String text = arguments == null ? "" : arguments.serialize();
        EventPrinter.print(("executed /3/0/4 " + (text == null ? "" : text)).trim());
        return ExecuteResponse.success();
    }

    /** A replace of the whole instance empties what it does not name. */
    @Override
    public void reset(int resource) {
        if (resource == 14) utcOffset = "+00";
        if (resource == 15) timezone = "Etc/UTC";
    }

    @Override
    public List<Integer> getAvailableResourceIds(ObjectModel model) {
        return Arrays.asList(0, 1, 2, 3, 4, 6, 7, 9, 11, 13, 14, 15, 16);
    }
}
