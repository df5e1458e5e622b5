// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// ReferencePython is the interpreter that has pySigma, named from the module's
// root.
const ReferencePython = "build/pysigma/bin/python"

// What pySigma consists of: as asked for, and as installed by `make pysigma`.
const (
	requirements = "test/pysigma/requirements.txt"
	installed    = "build/pysigma/requirements.txt"
)

// probeReference returns why the reference ring cannot run here, or "". Nothing
// is installed on the way: a test does not reach for the network by itself.
func probeReference() string {
	root, err := ModuleRoot()
	if err != nil {
		return err.Error()
	}
	return probeReferenceIn(root)
}

func probeReferenceIn(root string) string {
	want, err := os.ReadFile(filepath.Join(root, requirements))
	if err != nil {
		return "the versions of pySigma are not known: " + err.Error()
	}
	have, err := os.ReadFile(filepath.Join(root, installed))
	if err != nil {
		return notInstalled()
	}
	if !bytes.Equal(want, have) {
		return "build/pysigma holds other versions than " + requirements + " asks for; `make pysigma` installs them"
	}
	if _, err := os.Stat(filepath.Join(root, ReferencePython)); err != nil {
		return "the virtual environment in build/pysigma is broken; `make clean pysigma` builds it anew"
	}
	return ""
}

func notInstalled() string {
	if _, err := exec.LookPath("python3"); err != nil {
		return "python3 is not installed, nor is pySigma; `make pysigma` installs pySigma with python3-venv and the network"
	}
	return "pySigma is not installed; `make pysigma` does it, with python3-venv and the network"
}

// ModuleRoot finds the directory of go.mod from the working directory, which
// for a test is that of its package.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		switch _, err := os.Stat(filepath.Join(dir, "go.mod")); {
		case err == nil:
			return dir, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case dir == filepath.Dir(dir):
			return "", errors.New("no go.mod in the working directory or above it")
		}
		dir = filepath.Dir(dir)
	}
}
