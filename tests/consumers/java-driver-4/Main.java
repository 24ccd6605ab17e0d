import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.CqlSession;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** The Java driver 4 (../README.md). */
public class Main {
  private static CqlSession kept;

  private static void statement(CqlSession session) {
    String v = session.execute("SELECT v FROM t").one().getString("v");
    if (!"one".equals(v)) throw new IllegalStateException("unexpected value " + v);
  }

  private static CqlSession connected(String[] parts) {
    CqlSession session =
        CqlSession.builder()
            .withCloudSecureConnectBundle(Path.of(parts[1]))
            .withAuthCredentials(parts[2], parts[3])
            .withKeyspace(parts[4])
            .build();
    statement(session);
    return session;
  }

  private static void write(CqlSession session, int key, String value) {
    session.execute(session.prepare("INSERT INTO written (k, v) VALUES (?, ?)").bind(key, value));
    String v =
        session
            .execute(session.prepare("SELECT v FROM written WHERE k = ?").bind(key))
            .one()
            .getString("v");
    if (!value.equals(v)) throw new IllegalStateException("unexpected value " + v);
  }

  private static void answer(String[] parts) {
    switch (parts[0]) {
      case "new" -> connected(parts).close();
      case "keep" -> kept = connected(parts);
      case "ask" -> statement(kept);
      case "write" -> write(kept, Integer.parseInt(parts[1]), parts[2]);
      default -> throw new IllegalArgumentException("unknown request " + parts[0]);
    }
  }

  private static String line(String word, Exception error) {
    return (word + " " + error).replaceAll("\\s+", " ");
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String read = input.readLine(); read != null; read = input.readLine()) {
      try {
        answer(read.split("\t"));
        System.out.println("ok");
      } catch (AllNodesFailedException error) {
        System.out.println(line("refused", error));
      } catch (Exception error) {
        System.out.println(line("failed", error));
      }
    }
    System.exit(0);
  }
}
