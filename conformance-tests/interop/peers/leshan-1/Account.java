import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import org.eclipse.leshan.client.object.Security;

/**
 * The instance of object 0 that the options describe, for a server or (without a short server id) a bootstrap server:
 *
 *   --psk IDENTITY:HEX
 *   --rpk FILE --rpk-public FILE --server-key FILE     own key pair and the server's public key
 *   --cert FILE --key FILE --server-cert FILE          own certificate and key, and the certificate the server has to show
 *
 * Files are DER: PKCS #8, SubjectPublicKeyInfo, X.509. Without any of them there is no security.
 */
final class Account {
    private Account() {
    }

    static Security of(String uri, Integer shortServerId, Map<String, String> options) throws IOException {
        boolean isBootstrap = shortServerId == null;
        if (options.containsKey("psk")) {
            String[] parts = options.get("psk").split(":", 2);
            byte[] identity = parts[0].getBytes();
            byte[] key = HexFormat.of().parseHex(parts[1]);
            return isBootstrap ? Security.pskBootstrap(uri, identity, key) : Security.psk(uri, shortServerId, identity, key);
        }
        if (options.containsKey("rpk")) {
            byte[] own = file(options, "rpk-public");
            byte[] key = file(options, "rpk");
            byte[] server = file(options, "server-key");
            return isBootstrap
                    ? Security.rpkBootstrap(uri, own, key, server)
                    : Security.rpk(uri, shortServerId, own, key, server);
        }
        if (options.containsKey("cert")) {
            byte[] own = file(options, "cert");
            byte[] key = file(options, "key");
            byte[] server = file(options, "server-cert");
            return isBootstrap
                    ? Security.x509Bootstrap(uri, own, key, server)
                    : Security.x509(uri, shortServerId, own, key, server);
        }
        return isBootstrap ? Security.noSecBootstap(uri) : Security.noSec(uri, shortServerId);
    }

    private static byte[] file(Map<String, String> options, String name) throws IOException {
        return Files.readAllBytes(Path.of(options.get(name)));
    }
}
