import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.leshan.core.link.lwm2m.attributes.DefaultLwM2mAttributeParser;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributeSet;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.CancelObservationRequest;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.CreateRequest;
import org.eclipse.leshan.core.request.DeleteRequest;
import org.eclipse.leshan.core.request.DiscoverRequest;
import org.eclipse.leshan.core.request.DownlinkRequest;
import org.eclipse.leshan.core.request.ExecuteRequest;
import org.eclipse.leshan.core.request.ObserveRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.request.WriteAttributesRequest;
import org.eclipse.leshan.core.request.WriteRequest;
import org.eclipse.leshan.core.request.WriteRequest.Mode;
import org.eclipse.leshan.core.response.CreateResponse;
import org.eclipse.leshan.core.response.DiscoverResponse;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.registration.Registration;

/**
 * One command a line, one result line each (`{"event":"result",…}`):
 *
 *   list | format N (content format of the following commands, 0 for Leshan's own choice)
 *   discover|read|observe|cancel|forget|delete EP PATH
 *   execute EP PATH [ARGUMENTS] | attributes EP PATH pmin=1&pmax=5
 *   write|update EP PATH VALUE      a resource: plain text; an instance: {"id": value, …}; update is the partial one
 *   push EP PATH FILE               the bytes of a file to an opaque resource, block-wise
 *   create EP /OBJECT[/INSTANCE] {"id": value, …}
 */
final class Commands {
    private static final long TIMEOUT_MS = 30_000;

    private final LeshanServer server;
    private ContentFormat format;

    Commands(LeshanServer server) {
        this.server = server;
    }

    void run(String line) {
        String[] words = line.split(" ", 4);
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("event", "result");
        result.put("command", line);
        try {
            if (words[0].equals("list")) {
                server.getRegistrationService().getAllRegistrations()
                        .forEachRemaining(each -> RegistrationPrinter.print("listed", each));
            } else if (words[0].equals("format")) {
                format = words[1].equals("0") ? null : ContentFormat.fromCode(Integer.parseInt(words[1]));
            } else {
                ask(words, result);
            }
        } catch (Exception cause) {
            result.put("error", cause.toString());
        }
        Json.print(result);
    }

    private void ask(String[] words, Map<String, Object> result) throws Exception {
        Registration registration = server.getRegistrationService().getByEndpoint(words[1]);
        if (registration == null) throw new IllegalArgumentException("not registered: " + words[1]);
        if (words[0].equals("forget")) {
            // A passive cancel: the device learns of it by the Reset that answers its next notification.
            result.put("cancelled", server.getObservationService().cancelObservations(registration, words[2]));
            return;
        }
        DownlinkRequest<? extends LwM2mResponse> request = request(registration, words);
        LwM2mResponse response = server.send(registration, request, TIMEOUT_MS);
        if (response == null) {
            result.put("error", "timeout");
            return;
        }
        result.put("code", response.getCode().getCode());
        if (response.getErrorMessage() != null) result.put("message", response.getErrorMessage());
        if (response instanceof ReadResponse) result.put("value", Json.of(((ReadResponse) response).getContent()));
        if (response instanceof CreateResponse) result.put("location", ((CreateResponse) response).getLocation());
        if (response instanceof DiscoverResponse && response.isSuccess()) {
            List<String> links = new ArrayList<>();
            for (var link : ((DiscoverResponse) response).getObjectLinks()) links.add(link.toString());
            result.put("links", links);
        }
    }

    private DownlinkRequest<? extends LwM2mResponse> request(Registration registration, String[] words)
            throws Exception {
        String path = words[2];
        String rest = words.length > 3 ? words[3] : "";
        switch (words[0]) {
            case "discover": return new DiscoverRequest(path);
            case "read": return new ReadRequest(format, path);
            case "observe": return new ObserveRequest(format, path);
            case "cancel": return new CancelObservationRequest(observation(registration, path));
            case "delete": return new DeleteRequest(path);
            case "execute": return rest.isEmpty() ? new ExecuteRequest(path) : new ExecuteRequest(path, rest);
            case "attributes":
                return new WriteAttributesRequest(
                        path, new LwM2mAttributeSet(new DefaultLwM2mAttributeParser().parseUriQuery(rest)));
            case "write":
                return new WriteRequest(Mode.REPLACE, format, path, node(registration, new LwM2mPath(path), rest));
            case "update":
                return new WriteRequest(Mode.UPDATE, format, path, node(registration, new LwM2mPath(path), rest));
            case "push":
                byte[] bytes = Files.readAllBytes(Path.of(rest));
                LwM2mNode resource = LwM2mSingleResource.newBinaryResource(new LwM2mPath(path).getResourceId(), bytes);
                return new WriteRequest(Mode.REPLACE, ContentFormat.OPAQUE, path, resource);
            case "create": return create(registration, new LwM2mPath(path), rest);
            default: throw new IllegalArgumentException("unknown command: " + words[0]);
        }
    }

    private SingleObservation observation(Registration registration, String path) {
        for (Observation each : server.getObservationService().getObservations(registration)) {
            if (each instanceof SingleObservation && ((SingleObservation) each).getPath().toString().equals(path)) {
                return (SingleObservation) each;
            }
        }
        throw new IllegalArgumentException("not observed: " + path);
    }

    private CreateRequest create(Registration registration, LwM2mPath path, String text) throws Exception {
        List<LwM2mResource> resources = resources(registration, path, Json.MAPPER.readTree(text));
        if (path.isObject()) return new CreateRequest(format, path.getObjectId(), resources);
        return new CreateRequest(
                format, path.getObjectId(), new LwM2mObjectInstance(path.getObjectInstanceId(), resources));
    }

    private LwM2mNode node(Registration registration, LwM2mPath path, String text) throws Exception {
        if (path.isObjectInstance()) {
            return new LwM2mObjectInstance(
                    path.getObjectInstanceId(), resources(registration, path, Json.MAPPER.readTree(text)));
        }
        return resource(registration, path, path.getResourceId(), TextNode.valueOf(text));
    }

    private List<LwM2mResource> resources(Registration registration, LwM2mPath path, JsonNode values) {
        List<LwM2mResource> resources = new ArrayList<>();
        for (Iterator<Map.Entry<String, JsonNode>> each = values.fields(); each.hasNext();) {
            Map.Entry<String, JsonNode> entry = each.next();
            resources.add(resource(registration, path, Integer.parseInt(entry.getKey()), entry.getValue()));
        }
        return resources;
    }

    private LwM2mResource resource(Registration registration, LwM2mPath path, int id, JsonNode value) {
        ResourceModel model =
                server.getModelProvider().getObjectModel(registration).getResourceModel(path.getObjectId(), id);
        if (model == null) throw new IllegalArgumentException("no model for resource " + id + " of " + path);
        switch (model.type) {
            case INTEGER: return LwM2mSingleResource.newIntegerResource(id, value.asLong());
            case FLOAT: return LwM2mSingleResource.newFloatResource(id, value.asDouble());
            case BOOLEAN: return LwM2mSingleResource.newBooleanResource(id, value.asBoolean());
            case TIME: return LwM2mSingleResource.newDateResource(id, new Date(value.asLong() * 1_000));
            case OPAQUE: return LwM2mSingleResource.newBinaryResource(id, Base64.getDecoder().decode(value.asText()));
            case OBJLNK:
                return LwM2mSingleResource.newObjectLinkResource(id, ObjectLink.decodeFromString(value.asText()));
            default: return LwM2mSingleResource.newStringResource(id, value.asText());
        }
    }
}
