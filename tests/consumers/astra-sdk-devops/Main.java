import com.dtsx.astra.sdk.AstraOpsClient;
import com.dtsx.astra.sdk.exception.AuthenticationException;
import com.dtsx.astra.sdk.org.domain.CreateTokenResponse;
import com.dtsx.astra.sdk.org.domain.DefaultRoles;
import com.dtsx.astra.sdk.org.domain.Permission;
import com.dtsx.astra.sdk.org.domain.RoleDefinition;
import com.dtsx.astra.sdk.utils.AstraEnvironment;
import java.lang.reflect.Field;
import java.util.UUID;

/** astra-sdk-devops: tokens and roles (../README.md). Arguments: URL of the API, organization. */
public class Main {
  private static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  /** The SDK knows Astra's own addresses only, and uses no proxy. */
  private static void pointAt(String url) throws ReflectiveOperationException {
    Field endpoint = AstraEnvironment.class.getDeclaredField("endpoint");
    endpoint.setAccessible(true);
    endpoint.set(AstraEnvironment.PROD, url + "/v2");
  }

  public static void main(String[] arguments) throws ReflectiveOperationException {
    pointAt(arguments[0]);
    String organization = arguments[1];
    AstraOpsClient astra = new AstraOpsClient(System.getenv("ASTRA_PASSWORD"));
    try {
      astra.roles().findAll().count();
    } catch (RuntimeException error) {
      System.out.println(error.toString().replaceAll("\\s+", " "));
      System.exit(3);
    }
    check(astra.getOrganizationId().equals(organization), "the organization is the token's");

    String name = "sdk-" + UUID.randomUUID();
    RoleDefinition definition =
        RoleDefinition.builder(organization)
            .name(name)
            .description("made by the SDK")
            .addPermision(Permission.db_cql)
            .addResourceAllDatabases()
            .build();
    String role = astra.roles().create(definition).getRoleId();
    check(astra.roles().getByName(name).getId().equals(role), "the role is found by its name");
    check(astra.roles().get(role).getPolicy().getActions().contains("db-cql"), "it has its action");
    astra.roles().update(role, definition);
    CreateTokenResponse made = astra.tokens().create(role);
    CreateTokenResponse other = astra.tokens().create(DefaultRoles.API_READ_ONLY_USER);
    check(made.getToken().startsWith("AstraCS:" + made.getClientId()), "a token has its client id");
    check(made.getRoles().contains(role), "a token has its role");
    check(astra.tokens().exist(made.getClientId()), "the token is listed");
    check(astra.tokens().findById(other.getClientId()).isPresent(), "the other one too");
    astra.tokens().delete(made.getClientId());
    astra.tokens().delete(other.getClientId());
    check(!astra.tokens().exist(made.getClientId()), "a deleted token is not listed");
    astra.roles().delete(role);
    check(!astra.roles().exist(role), "a deleted role is gone");
    System.out.println("ok");
    System.exit(0);
  }
}
