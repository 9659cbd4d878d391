// The programs of a cluster without its nodes, as one: etcd, the API server, the controllers and kubectl. They share
// most of what they are made of, so that one program is linked in a fraction of the time that four would take.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	programs := map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": controllers.NewControllerManagerCommand,
		"kubectl":                 kubectl.NewDefaultKubectlCommand,
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kube etcd|kube-apiserver|kube-controller-manager|kubectl ARGUMENTS")
		os.Exit(2)
	}
	// Each program looks at the arguments of the process itself.
	os.Args = append([]string{filepath.Base(os.Args[1])}, os.Args[2:]...)
	if os.Args[0] == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	program, there := programs[os.Args[0]]
	if !there {
		fmt.Fprintln(os.Stderr, "kube has no program", os.Args[0])
		os.Exit(2)
	}
	os.Exit(cli.Run(program()))
}
