// A vCenter or an ESXi host of govmomi's simulator, over TLS, until a signal ends it.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	esx := flag.Bool("esx", false, "be a lone ESXi host")
	hosts := flag.Int("hosts", 1, "number of hosts of a vCenter outside of its cluster")
	vms := flag.Int("vms", 2, "number of VMs of each host and cluster")
	certificate := flag.String("certificate", "", "PEM file with a certificate and its key")
	user := flag.String("user", "root", "who may log in")
	password := flag.String("password", "secret", "the user's password")
	flag.Parse()

	model := simulator.VPX()
	if *esx {
		model = simulator.ESX()
	} else {
		model.Host = *hosts
	}
	model.Machine = *vms
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(*certificate, *certificate)
	if err != nil {
		log.Fatal(err)
	}
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(*user, *password)}
	server := model.Service.NewServer()
	fmt.Println(server.URL.Port())

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
	model.Remove()
}
