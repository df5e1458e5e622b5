// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
)

// Servers is the directory that holds Elasticsearch, OpenSearch and Kafka, named from the module's root.
const Servers = "build/servers"

// serverSources are what `make servers` installs the servers from, in the order in which it writes
// them into the file that says what is installed.
var serverSources = [...]string{
	"elasticsearch.xml", "elasticsearch-http.xml", "elasticsearch-xpack.xml", "elasticsearch-security.xml", "opensearch.xml", "kafka.xml",
	"Elasticsearch.java", "Missing.java", "OpenSearch.java", "Kafka.java", "install.sh",
}

// ServersReason returns why the server ring cannot run here, or "". Nothing is installed on the way.
func ServersReason() string {
	root, err := ModuleRoot()
	if err != nil {
		return err.Error()
	}
	if _, err := exec.LookPath("java"); err != nil {
		return "java is not installed; Elasticsearch, OpenSearch and Kafka need a JDK 17"
	}
	return probeServersIn(root)
}

func probeServersIn(root string) string {
	var want bytes.Buffer
	for _, name := range serverSources {
		text, err := os.ReadFile(filepath.Join(root, "test", "server", name))
		if err != nil {
			return "the versions of Elasticsearch, OpenSearch and Kafka are not known: " + err.Error()
		}
		want.Write(text)
	}
	have, err := os.ReadFile(filepath.Join(root, Servers, "installed"))
	if err != nil {
		return "Elasticsearch, OpenSearch and Kafka are not installed; `make servers` does it, with a JDK 17, Maven and the network"
	}
	if !bytes.Equal(want.Bytes(), have) {
		return Servers + " holds other servers than test/server asks for; `make servers` installs them"
	}
	return ""
}
