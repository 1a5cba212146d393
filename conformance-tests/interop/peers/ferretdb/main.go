// FerretDB, a server of the MongoDB wire protocol on SQLite, for the store suites.
//
//	ferretdb 127.0.0.1:0 file:/some/directory/
//
// Prints "READY host:port" once it listens; runs until SIGINT or SIGTERM.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: ferretdb host:port file:directory/"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: os.Args[1]},
		Handler:   "sqlite",
		SQLiteURL: os.Args[2],
	})
	if err != nil {
		fail(err)
	}
	go announce(ctx, os.Args[1])
	if err := server.Run(ctx); err != nil && ctx.Err() == nil {
		fail(err)
	}
}

// The embeddable package does not say when it listens.
func announce(ctx context.Context, address string) {
	for ctx.Err() == nil {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			fmt.Println("READY", address)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "ferretdb:", err)
	os.Exit(1)
}
