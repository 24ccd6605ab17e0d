// gocql with a dialer for secure connect bundles (../README.md).
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gocql/gocql"
)

func statement(session *gocql.Session) error {
	var v string
	if err := session.Query("SELECT v FROM t").Scan(&v); err != nil {
		return err
	}
	if v != "one" {
		return fmt.Errorf("unexpected value %q", v)
	}
	return nil
}

func connected(parts []string) (*gocql.Session, error) {
	dialer, err := readBundle(parts[1])
	if err != nil {
		return nil, err
	}
	// The dialer knows where to go; the driver wants an address.
	cluster := gocql.NewCluster("0.0.0.1")
	cluster.HostDialer = dialer
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: parts[2], Password: parts[3]}
	cluster.Keyspace = parts[4]
	cluster.Logger = silent{}
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, err
	}
	if err := statement(session); err != nil {
		session.Close()
		return nil, err
	}
	return session, nil
}

type silent struct{}

func (silent) Print(...interface{})          {}
func (silent) Printf(string, ...interface{}) {}
func (silent) Println(...interface{})        {}

func main() {
	var kept *gocql.Session
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		parts := strings.Split(input.Text(), "\t")
		var err error
		switch parts[0] {
		case "new":
			var session *gocql.Session
			if session, err = connected(parts); err == nil {
				session.Close()
			}
		case "keep":
			kept, err = connected(parts)
		case "ask":
			err = statement(kept)
		default:
			err = fmt.Errorf("unknown request %s", parts[0])
		}
		switch {
		case err == nil:
			fmt.Println("ok")
		case errors.Is(err, gocql.ErrNoConnections), errors.Is(err, gocql.ErrNoConnectionsStarted),
			strings.Contains(err.Error(), "unable to create session"):
			fmt.Println("refused", strings.Join(strings.Fields(err.Error()), " "))
		default:
			fmt.Println("failed", strings.Join(strings.Fields(err.Error()), " "))
		}
	}
}
