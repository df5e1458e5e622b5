#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Brings Elasticsearch, OpenSearch and Kafka, for tests only, into the directory that
# is named: with Maven, from where it is set up to look, or from its own store of
# what it has brought before.
set -euo pipefail
target=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"

# bring POM DIRECTORY
bring() {
	mvn --quiet --batch-mode --file "$1" dependency:copy-dependencies -DoutputDirectory="$2" ||
		mvn --quiet --batch-mode --offline --file "$1" dependency:copy-dependencies -DoutputDirectory="$2"
}

rm -rf "$target"
elasticsearch=$target/elasticsearch
module=$elasticsearch/home/modules/transport-netty4
mkdir -p "$module" "$elasticsearch/home/config" "$elasticsearch/home/plugins"
bring elasticsearch.xml "$elasticsearch/lib"
bring elasticsearch-http.xml "$elasticsearch/http"
for jar in "$elasticsearch"/http/*.jar; do
	[[ -e $elasticsearch/lib/${jar##*/} ]] || mv "$jar" "$module"
done
rm -rf "$elasticsearch/http"
version=$(sed -n 's|.*<version>\([0-9.]\{3,\}\)</version>.*|\1|p' elasticsearch.xml)
cat >"$module/plugin-descriptor.properties" <<END
description=HTTP and transport
version=$version
name=transport-netty4
classname=org.elasticsearch.transport.netty4.Netty4Plugin
java.version=17
elasticsearch.version=$version
END
javac -d "$elasticsearch/out" --module-path "$elasticsearch/lib" --add-modules ALL-MODULE-PATH Elasticsearch.java

# The same node with security and lifecycles, each plugin of which has those jars that neither the node nor the plugin it extends has.
secured=$target/elasticsearch-secured
cp -r "$elasticsearch/home" "$secured.home" && mkdir "$secured" && mv "$secured.home" "$secured/home"
ln -s ../elasticsearch/lib ../elasticsearch/out "$secured"
# plugin NAME CLASS EXTENDED
plugin() {
	mkdir -p "$secured/home/modules/$1"
	cat >"$secured/home/modules/$1/plugin-descriptor.properties" <<END
description=$1
version=$version
name=$1
classname=$2
java.version=17
elasticsearch.version=$version
extended.plugins=$3
END
}
# jars POM NAME [OTHER]
jars() {
	bring "$1" "$secured/brought"
	for jar in "$secured"/brought/*.jar; do
		[[ -e $secured/lib/${jar##*/} || -e $secured/home/modules/${3-}/${jar##*/} ]] || mv "$jar" "$secured/home/modules/$2"
	done
	rm -rf "$secured/brought"
}
plugin x-pack-core org.elasticsearch.xpack.core.XPackPlugin ""
jars elasticsearch-xpack.xml x-pack-core
plugin x-pack-security org.elasticsearch.xpack.security.Security x-pack-core
jars elasticsearch-security.xml x-pack-security x-pack-core
plugin missing Missing x-pack-core
javac -d "$secured/classes" -classpath "$secured/lib/*:$secured/home/modules/x-pack-core/*" Missing.java
jar --create --file "$secured/home/modules/missing/missing.jar" -C "$secured/classes" .
rm -r "$secured/classes"

opensearch=$target/opensearch
mkdir -p "$opensearch/home/config"
bring opensearch.xml "$opensearch/lib"
javac -d "$opensearch/out" -classpath "$opensearch/lib/*" OpenSearch.java

kafka=$target/kafka
mkdir -p "$kafka/home"
bring kafka.xml "$kafka/lib"
javac -d "$kafka/out" -classpath "$kafka/lib/*" Kafka.java

# Comes last: it says that what the sources ask for is installed.
cat elasticsearch.xml elasticsearch-http.xml elasticsearch-xpack.xml elasticsearch-security.xml opensearch.xml kafka.xml \
	Elasticsearch.java Missing.java OpenSearch.java Kafka.java install.sh >"$target/installed"
