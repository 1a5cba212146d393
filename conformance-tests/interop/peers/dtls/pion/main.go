// A DTLS client or echo server on pion/dtls, for the interop suites.
//
//	pion-peer server 127.0.0.1:0 [flags]   prints "READY host:port", echoes every datagram
//	pion-peer client 127.0.0.1:5684 [flags] sends each line of standard input, prints "RECEIVED <line>"
//
// Both print "CONNECTED suite=<hex> resumed=<bool> session=<hex>" per handshake and "FAILED <why>" for one that failed.
package main

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
)

type settings struct {
	psk, cert, key, ca, suites, name string
	cid, times                       int
	resume, noEMS                    bool
	wait                             time.Duration
}

func main() {
	if len(os.Args) < 3 {
		fail(errors.New("usage: pion-peer client|server host:port [flags]"))
	}
	var s settings
	flags := flag.NewFlagSet("pion-peer", flag.ExitOnError)
	flags.StringVar(&s.psk, "psk", "", "identity:hex")
	flags.StringVar(&s.cert, "cert", "", "PEM chain")
	flags.StringVar(&s.key, "key", "", "PEM key")
	flags.StringVar(&s.ca, "ca", "", "PEM authorities the other side is checked against")
	flags.StringVar(&s.suites, "suites", "", "hex, comma separated")
	flags.StringVar(&s.name, "name", "", "server name")
	flags.IntVar(&s.cid, "cid", -1, "length of the connection id to receive; -1 for none")
	flags.BoolVar(&s.resume, "resume", false, "keep sessions and resume them")
	flags.BoolVar(&s.noEMS, "no-ems", false, "without extended master secret")
	flags.IntVar(&s.times, "times", 1, "connections a client makes, one after the other")
	flags.DurationVar(&s.wait, "wait", 10*time.Second, "how long an answer may take")
	if err := flags.Parse(os.Args[3:]); err != nil {
		fail(err)
	}
	address, err := net.ResolveUDPAddr("udp", os.Args[2])
	if err != nil {
		fail(err)
	}
	if os.Args[1] == "server" {
		serve(address, s)
	} else {
		connect(address, s)
	}
}

func fail(err error) {
	fmt.Println("FAILED", err)
	os.Exit(1)
}

func shared(s settings) []dtls.Option {
	var options []dtls.Option
	if s.psk != "" {
		identity, secret, _ := strings.Cut(s.psk, ":")
		key, err := hex.DecodeString(secret)
		if err != nil {
			fail(err)
		}
		options = append(options, dtls.WithPSKIdentityHint([]byte(identity)), dtls.WithPSK(func(hint []byte) ([]byte, error) {
			if string(hint) != identity && os.Args[1] == "server" {
				return nil, errors.New("unknown identity")
			}
			return key, nil
		}))
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			fail(err)
		}
		options = append(options, dtls.WithCertificates(pair))
	}
	if s.suites != "" {
		var suites []dtls.CipherSuiteID
		for _, text := range strings.Split(s.suites, ",") {
			var id uint16
			if _, err := fmt.Sscanf(text, "%x", &id); err != nil {
				fail(err)
			}
			suites = append(suites, dtls.CipherSuiteID(id))
		}
		options = append(options, dtls.WithCipherSuites(suites...))
	}
	if s.cid >= 0 {
		options = append(options, dtls.WithConnectionIDGenerator(func() []byte {
			id := make([]byte, s.cid)
			_, _ = rand.Read(id)
			return id
		}))
	}
	if s.noEMS {
		options = append(options, dtls.WithExtendedMasterSecret(dtls.DisableExtendedMasterSecret))
	}
	if s.resume {
		options = append(options, dtls.WithSessionStore(&memory{}))
	}
	return options
}

func authorities(s settings) *x509.CertPool {
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		fail(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

func serve(address *net.UDPAddr, s settings) {
	var options []dtls.ServerOption
	for _, option := range shared(s) {
		options = append(options, option)
	}
	if s.ca != "" {
		options = append(options, dtls.WithClientAuth(dtls.RequireAndVerifyClientCert), dtls.WithClientCAs(authorities(s)))
	}
	listener, err := dtls.ListenWithOptions("udp", address, options...)
	if err != nil {
		fail(err)
	}
	fmt.Println("READY", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			fmt.Println("FAILED", err)
			continue
		}
		go echo(conn.(*dtls.Conn))
	}
}

func echo(conn *dtls.Conn) {
	if err := conn.Handshake(); err != nil {
		fmt.Println("FAILED", err)
		return
	}
	report(conn)
	buffer := make([]byte, 16384)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			fmt.Println("CLOSED", err)
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func connect(address *net.UDPAddr, s settings) {
	var options []dtls.ClientOption
	for _, option := range shared(s) {
		options = append(options, option)
	}
	if s.ca != "" {
		options = append(options, dtls.WithRootCAs(authorities(s)))
	}
	if s.name != "" {
		options = append(options, dtls.WithServerName(s.name))
	}
	var lines []string
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		lines = append(lines, input.Text())
	}
	for i := 0; i < s.times; i++ {
		conn, err := dtls.DialWithOptions("udp", address, options...)
		if err != nil {
			fail(err)
		}
		if err := conn.Handshake(); err != nil {
			fail(err)
		}
		report(conn)
		exchange(conn, lines, s.wait)
		if err := conn.Close(); err != nil {
			fail(err)
		}
	}
}

func exchange(conn *dtls.Conn, lines []string, wait time.Duration) {
	buffer := make([]byte, 16384)
	for _, line := range lines {
		if _, err := conn.Write([]byte(line)); err != nil {
			fail(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			fail(err)
		}
		n, err := conn.Read(buffer)
		if err != nil {
			fail(err)
		}
		fmt.Println("RECEIVED", string(buffer[:n]))
	}
}

var seen sync.Map

func report(conn *dtls.Conn) {
	state, _ := conn.ConnectionState()
	session := hex.EncodeToString(state.SessionID)
	_, resumed := seen.LoadOrStore(session, true)
	fmt.Printf("CONNECTED suite=%04x resumed=%t session=%s\n", uint16(state.CipherSuiteID), resumed && session != "", session)
}

// Sessions by key, for as long as the process lives.
type memory struct{ sessions sync.Map }

func (m *memory) Set(key []byte, session dtls.Session) error {
	m.sessions.Store(string(key), session)
	return nil
}

func (m *memory) Get(key []byte) (dtls.Session, error) {
	session, ok := m.sessions.Load(string(key))
	if !ok {
		return dtls.Session{}, nil
	}
	return session.(dtls.Session), nil
}

func (m *memory) Del(key []byte) error {
	m.sessions.Delete(string(key))
	return nil
}
