// Command crane writes container images and serves a registry, for the tests of installing the plugin
// from an image. It is an ordinary module dependency, pinned in go.mod.
package main

import (
	"os"

	"github.com/google/go-containerregistry/cmd/crane/cmd"
)

func main() {
	if err := cmd.New("crane", "Writes and serves container images.", nil).Execute(); err != nil {
		os.Exit(1)
	}
}
