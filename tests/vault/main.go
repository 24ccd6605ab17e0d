// Command vault is the HashiCorp Vault server and client that the end-to-end
// tests run against. It is an ordinary module dependency, pinned in go.mod.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() {
	os.Exit(command.Run(os.Args[1:]))
}
