import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Map;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObject;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mResourceInstance;
import org.eclipse.leshan.core.node.ObjectLink;

/** Output lines, and decoded LwM2M nodes as plain nested maps keyed by id. */
final class Json {
    static final ObjectMapper MAPPER = new ObjectMapper();

    /** Lines come from several threads; each must stay whole. */
    static synchronized void print(Map<String, ?> line) {
        try {
            System.out.println(MAPPER.writeValueAsString(line));
        } catch (JsonProcessingException cause) {
            throw new IllegalStateException(cause);
        }
        System.out.flush();
    }

    static Object of(LwM2mNode node) {
        Map<Integer, Object> children = new LinkedHashMap<>();
        if (node instanceof LwM2mObject) {
            ((LwM2mObject) node).getInstances().forEach((id, child) -> children.put(id, of(child)));
            return children;
        }
        if (node instanceof LwM2mObjectInstance) {
            ((LwM2mObjectInstance) node).getResources().forEach((id, child) -> children.put(id, of(child)));
            return children;
        }
        if (node instanceof LwM2mResourceInstance) return value(((LwM2mResourceInstance) node).getValue());
        if (node instanceof LwM2mResource) {
            LwM2mResource resource = (LwM2mResource) node;
            if (!resource.isMultiInstances()) return value(resource.getValue());
            resource.getInstances().forEach((id, child) -> children.put(id, of(child)));
            return children;
        }
        return null;
    }

    private static Object value(Object value) {
        if (value instanceof Date) return ((Date) value).toInstant().toString();
        if (value instanceof ObjectLink || value instanceof Object[]) return String.valueOf(value);
        return value;
    }
}
