// A client of vSphere on govmomi, which nobody of this repository wrote: it reads, starts a VM, and prints JSON.
//
// Arguments: URL of the SDK, file of the authority, user, password.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/url"
	"os"

	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

type report struct {
	About   string   `json:"about"`
	VMs     []string `json:"vms"`
	Disks   int      `json:"disks"`
	Hosts   int      `json:"hosts"`
	State   string   `json:"state"`
	Failure string   `json:"failure"`
	Path    string   `json:"path"`
	Found   string   `json:"found"`
}

func main() {
	ctx := context.Background()
	client := connect(ctx, os.Args[1], os.Args[2])
	sessions := session.NewManager(client)
	check(sessions.Login(ctx, url.UserPassword(os.Args[3], os.Args[4])))
	var told report
	told.About = client.ServiceContent.About.ApiType
	list(ctx, client, &told)
	power(ctx, client, &told)
	check(sessions.Logout(ctx))
	check(json.NewEncoder(os.Stdout).Encode(told))
}

func connect(ctx context.Context, address string, authority string) *vim25.Client {
	parsed, err := soap.ParseURL(address)
	check(err)
	transport := soap.NewClient(parsed, false)
	check(transport.SetRootCAs(authority))
	client, err := vim25.NewClient(ctx, transport)
	check(err)
	check(client.UseServiceVersion())
	return client
}

// list reads all VMs through a container view.
func list(ctx context.Context, client *vim25.Client, told *report) {
	kinds := []string{"VirtualMachine"}
	all, err := view.NewManager(client).CreateContainerView(ctx, client.ServiceContent.RootFolder, kinds, true)
	check(err)
	var vms []mo.VirtualMachine
	check(all.Retrieve(ctx, kinds, nil, &vms))
	check(all.Destroy(ctx))
	for _, vm := range vms {
		told.VMs = append(told.VMs, vm.Name)
		for _, device := range vm.Config.Hardware.Device {
			if _, ok := device.(*types.VirtualDisk); ok {
				told.Disks++
			}
		}
	}
}

// power finds a VM by path, starts it twice, and asks for a property that it has not.
func power(ctx context.Context, client *vim25.Client, told *report) {
	finder := find.NewFinder(client)
	datacenter, err := finder.DefaultDatacenter(ctx)
	check(err)
	finder.SetDatacenter(datacenter)
	hosts, err := finder.HostSystemList(ctx, "*/*")
	check(err)
	told.Hosts = len(hosts)
	vm, err := finder.VirtualMachine(ctx, "vm-0")
	check(err)
	told.Found = vm.InventoryPath
	task, err := vm.PowerOn(ctx)
	check(err)
	check(task.Wait(ctx))
	state, err := vm.PowerState(ctx)
	check(err)
	told.State = string(state)
	task, err = vm.PowerOn(ctx)
	check(err)
	_, err = task.WaitForResult(ctx, nil)
	told.Failure = err.Error()
	var properties mo.VirtualMachine
	err = property.DefaultCollector(client).RetrieveOne(ctx, vm.Reference(), []string{"nothing"}, &properties)
	told.Path = fmt.Sprintf("%T", soap.ToSoapFault(err).VimFault())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
