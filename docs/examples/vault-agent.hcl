# Keeps astra.env filled with a live credential, and renews or replaces it before it ends:
#
#   VAULT_ADDR=https://vault.example.com:8200 vault agent -config=vault-agent.hcl
#
# Paths are relative to the working directory.

auto_auth {
  # For a first try.  On a platform use its own method instead: kubernetes, aws, approle, cert, …
  method "token_file" {
    config = {
      token_file_path = "vault-token"
    }
  }
}

template {
  source      = "vault-agent.ctmpl"
  destination = "astra.env"
  perms       = "0600"

  # A missing value is an error, not an empty line.
  error_on_missing_key = true

  # What tells the application that astra.env has changed, for instance:
  # exec { command = ["systemctl", "reload", "my-app"] }
}

template_config {
  # Keep trying while Vault or Astra is away; the file stays as it is meanwhile.
  exit_on_retry_failure = false
}
