import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.util.HexFormat;
import java.util.Map;
import org.eclipse.leshan.core.util.SecurityUtil;
import org.eclipse.leshan.server.security.InMemorySecurityStore;
import org.eclipse.leshan.server.security.SecurityInfo;

/**
 * Who may come over DTLS, and the server's own key pair, from the options:
 *
 *   --psk ENDPOINT:IDENTITY:HEX     --rpk ENDPOINT:FILE (the device's SubjectPublicKeyInfo)
 *   --key FILE --public FILE        the server's own: PKCS #8 and SubjectPublicKeyInfo
 *
 * All files are DER.
 */
final class Keys {
    private Keys() {
    }

    static InMemorySecurityStore store(Map<String, String> options) throws Exception {
        InMemorySecurityStore store = new InMemorySecurityStore();
        if (options.containsKey("psk")) {
            String[] parts = options.get("psk").split(":", 3);
            store.add(SecurityInfo.newPreSharedKeyInfo(parts[0], parts[1], HexFormat.of().parseHex(parts[2])));
        }
        if (options.containsKey("rpk")) {
            String[] parts = options.get("rpk").split(":", 2);
            store.add(SecurityInfo.newRawPublicKeyInfo(parts[0], publicKey(parts[1])));
        }
        return store;
    }

    static PublicKey publicKey(String file) throws Exception {
        return SecurityUtil.publicKey.decode(Files.readAllBytes(Path.of(file)));
    }

    static PrivateKey privateKey(String file) throws Exception {
        return SecurityUtil.privateKey.decode(Files.readAllBytes(Path.of(file)));
    }
}
