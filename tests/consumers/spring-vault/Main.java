import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.vault.authentication.TokenAuthentication;
import org.springframework.vault.client.VaultEndpoint;
import org.springframework.vault.core.VaultTemplate;
import org.springframework.vault.core.lease.SecretLeaseContainer;
import org.springframework.vault.core.lease.domain.RequestedSecret;
import org.springframework.vault.core.lease.event.SecretLeaseCreatedEvent;

/** Keeps a credential and a static one, and writes each token that it gets to FOLDER/lease and FOLDER/static. */
public class Main {
    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        var vault = new VaultTemplate(
            VaultEndpoint.from(URI.create(System.getenv("VAULT_ADDR"))),
            new TokenAuthentication(System.getenv("VAULT_TOKEN")));
        var scheduler = new ThreadPoolTaskScheduler();
        scheduler.afterPropertiesSet();
        var container = new SecretLeaseContainer(vault, scheduler);
        // The usual 10 s and 60 s are more than the lease lasts.
        container.setMinRenewal(Duration.ofSeconds(1));
        container.setExpiryThreshold(Duration.ofSeconds(2));
        container.addLeaseListener(event -> {
            if (event instanceof SecretLeaseCreatedEvent created) {
                String path = created.getSource().getPath();
                write(folder.resolve(path.contains("static") ? "static" : "lease"), created.getSecrets().get("token"));
            }
        });
        container.addErrorListener((event, error) -> System.err.println(event.getSource() + ": " + error));
        container.addRequestedSecret(RequestedSecret.rotating("astra/creds/kept"));
        container.addRequestedSecret(RequestedSecret.rotating("astra/static-creds/kept"));
        container.afterPropertiesSet();
        container.start();
        Thread.currentThread().join();
    }

    private static void write(Path file, Object token) {
        try {
            Path part = Path.of(file + ".part");
            Files.writeString(part, String.valueOf(token));
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }
}
