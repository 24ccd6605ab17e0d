// The client that astra-client-go generates from its OpenAPI document: tokens, roles
// and databases (../README.md). Arguments: URL of the API, organization.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/datastax/astra-client-go/v2/astra"
)

func check(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, "it does not hold that", what)
		os.Exit(1)
	}
}

func must[T any](answer T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return answer
}

func main() {
	url, organization := os.Args[1], os.Args[2]
	// By itself the client sends neither of the last two.
	headers := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+os.Getenv("ASTRA_PASSWORD"))
		request.Header.Set("Accept", "application/json")
		request.Header.Set("User-Agent", "astra-client-go/2.3.0")
		return nil
	}
	client := must(astra.NewClientWithResponses(url, astra.WithRequestEditorFn(headers)))
	ctx := context.Background()

	current := must(client.GetCurrentOrganizationWithResponse(ctx))
	if current.JSON200 == nil {
		fmt.Println(current.Status(), string(current.Body))
		os.Exit(3)
	}
	check(current.JSON200.Id == organization, "the organization is the token's")
	roles := must(client.GetOrganizationRolesWithResponse(ctx))
	check(roles.JSON200 != nil && len(*roles.JSON200) > 15, "the built-in roles are listed")

	databases := must(client.ListDatabasesWithResponse(ctx, &astra.ListDatabasesParams{}))
	check(databases.JSON200 != nil && len(*databases.JSON200) == 2, "the databases are listed")
	for _, database := range *databases.JSON200 {
		check(database.Storage != nil && database.Storage.NodeCount > 0, "a database has a storage")
	}
	unknown := must(client.GetDatabaseWithResponse(ctx, organization))
	check(unknown.JSON404 != nil, "an unknown database is 404, with an errors object")

	made := must(client.AddOrganizationRoleWithResponse(ctx, astra.CreateRoleRequest{
		Name: "from Go",
		Policy: astra.Policy{
			Description: "made by the client",
			Effect:      "allow",
			Actions:     []astra.PolicyAction{"db-cql"},
			Resources:   []string{"drn:astra:org:" + organization + ":db:*"},
		},
	}))
	check(made.StatusCode()/100 == 2, "a role is made")
	roles = must(client.GetOrganizationRolesWithResponse(ctx))
	id := ""
	for _, role := range *roles.JSON200 {
		if *role.Name == "from Go" {
			id = *role.Id
		}
	}
	check(id != "", "the role is listed")

	token := must(client.GenerateTokenForClientWithResponse(ctx, astra.GenerateTokenBody{Roles: []string{id}}))
	check(token.JSON200 != nil, "a token is made")
	fields := (*token.JSON200).(map[string]interface{})
	clientID := fields["clientId"].(string)
	check(strings.HasPrefix(fields["token"].(string), "AstraCS:"+clientID+":"), "the token has its client id")
	tokens := must(client.GetClientsForOrgWithResponse(ctx))
	check(strings.Contains(string(tokens.Body), clientID), "the token is listed")
	deleted := must(client.DeleteTokenForClientWithResponse(ctx, clientID))
	check(deleted.StatusCode()/100 == 2, "the token is deleted")
	gone := must(client.DeleteOrganizationRoleWithResponse(ctx, id))
	check(gone.StatusCode()/100 == 2, "the role is deleted")
	fmt.Println("ok")
}
