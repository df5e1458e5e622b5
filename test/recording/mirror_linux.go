// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"path/filepath"
	"strings"
)

// What the server downloads from elsewhere: a program, and an installer of the kind that is read by a
// shell.
const (
	downloadedProgram   = "#!/bin/sh\nuname -a\ndf -h / | tail -n 1\n"
	downloadedInstaller = `#!/bin/sh
set -e
umask 022
work=$(mktemp -d)
curl -fsSL http://mirror.example/tools.tar.gz | tar -xz -C "$work"
install -m 755 "$work/report" /usr/local/bin/report
rm -r "$work"
`
)

// serveMirror serves the packages and downloads in the network of the clients.
func serveMirror(root string) (*http.Server, error) {
	archive, err := downloadedArchive()
	if err != nil {
		return nil, err
	}
	content := map[string][]byte{"/tools.tar.gz": archive, "/install.sh": []byte(downloadedInstaller)}
	// Not a ServeMux: apt asks for paths with a dot in them, and does not bear being sent elsewhere.
	answer := func(w http.ResponseWriter, r *http.Request) {
		if known, ok := content[r.URL.Path]; ok {
			_, _ = w.Write(known)
			return
		}
		name := path.Clean(strings.TrimPrefix(r.URL.Path, "/debian"))
		http.ServeFile(w, r, filepath.Join(root, "var/mirror", name))
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(clientAddress, "80"))
	if err != nil {
		return nil, fmt.Errorf("serve the packages: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(answer)}
	go func() { _ = server.Serve(listener) }() // it ends with Close
	return server, nil
}

func downloadedArchive() ([]byte, error) {
	var out bytes.Buffer
	compressor := gzip.NewWriter(&out)
	w := tar.NewWriter(compressor)
	err := w.WriteHeader(&tar.Header{Name: "report", Mode: 0o755, Size: int64(len(downloadedProgram))})
	if err != nil {
		return nil, err
	}
	_, err = w.Write([]byte(downloadedProgram))
	err = errors.Join(err, w.Close(), compressor.Close())
	return out.Bytes(), err
}
