// A reverse proxy of Go's standard library, set up as its manual advises for load: pooled connections to the
// backend, pooled copy buffers, no compression of its own.
//
//	reverseproxy LISTEN-HOST:PORT BACKEND-HOST:PORT
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

const copyBufferBytes = 32 << 10

type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte       { return *b.pool.Get().(*[]byte) }
func (b *bufferPool) Put(buffer []byte) { b.pool.Put(&buffer) }

func newBufferPool() *bufferPool {
	return &bufferPool{pool: sync.Pool{New: func() any {
		buffer := make([]byte, copyBufferBytes)
		return &buffer
	}}}
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: reverseproxy LISTEN-HOST:PORT BACKEND-HOST:PORT")
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: os.Args[2]})
	direct := proxy.Director
	proxy.Director = func(request *http.Request) {
		direct(request)
		request.Header.Set("X-Forwarded-Proto", "http")
		request.Header.Set("X-Forwarded-Host", request.Host)
	}
	proxy.BufferPool = newBufferPool()
	proxy.Transport = &http.Transport{
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     60 * time.Second,
		DisableCompression:  true,
	}
	server := &http.Server{Addr: os.Args[1], Handler: proxy, IdleTimeout: 10 * time.Minute}
	log.Fatal(server.ListenAndServe())
}
