package main

import (
	"archive/zip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/gocql/gocql"
)

// A dialer for the nodes behind a secure connect bundle: each has the same address, and its host id
// is the server name of TLS.
type bundleDialer struct {
	address string
	first   string
	config  *tls.Config
}

func (d *bundleDialer) DialHost(ctx context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	config := d.config.Clone()
	config.ServerName = host.HostID()
	if config.ServerName == "" {
		config.ServerName = d.first
	}
	// The certificate does not name the host id, so its chain alone is verified.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		intermediates := x509.NewCertPool()
		for _, certificate := range state.PeerCertificates[1:] {
			intermediates.AddCert(certificate)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
			Roots:         d.config.RootCAs,
			Intermediates: intermediates,
		})
		return err
	}
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, err
	}
	connection := tls.Client(plain, config)
	if err := connection.HandshakeContext(ctx); err != nil {
		plain.Close()
		return nil, err
	}
	return &gocql.DialedHost{Conn: connection, DisableCoalesce: true}, nil
}

// Reads a bundle and asks its metadata service for the nodes.
func readBundle(path string) (*bundleDialer, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	files := map[string][]byte{}
	for _, name := range []string{"config.json", "ca.crt", "cert", "key"} {
		file, err := archive.Open(name)
		if err != nil {
			return nil, err
		}
		if files[name], err = io.ReadAll(file); err != nil {
			return nil, err
		}
	}
	var where struct {
		Host string
		Port int
	}
	if err := json.Unmarshal(files["config.json"], &where); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(files["ca.crt"]) {
		return nil, fmt.Errorf("no certificate in ca.crt")
	}
	pair, err := tls.X509KeyPair(files["cert"], files["key"])
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	answer, err := client.Get(fmt.Sprintf("https://%s:%d/metadata", where.Host, where.Port))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var metadata struct {
		ContactInfo struct {
			Points  []string `json:"contact_points"`
			Address string   `json:"sni_proxy_address"`
		} `json:"contact_info"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&metadata); err != nil {
		return nil, err
	}
	if len(metadata.ContactInfo.Points) == 0 {
		return nil, fmt.Errorf("the metadata service names no node")
	}
	return &bundleDialer{metadata.ContactInfo.Address, metadata.ContactInfo.Points[0], config}, nil
}
