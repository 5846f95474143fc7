// Receives what `zego-record serve` forwards: go run receiver.go
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func isGenuine(header http.Header, body []byte) bool {
	id, sent := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age > 5*time.Minute || age < -5*time.Minute {
		return false
	}
	for _, secret := range strings.Split(os.Getenv("ZEGO_RECORD_FORWARD_SECRET"), ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"))
		if err != nil {
			continue
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, sent, body)
		right := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for _, one := range strings.Split(header.Get("webhook-signature"), " ") {
			if hmac.Equal([]byte(one), []byte(right)) {
				return true
			}
		}
	}
	return false
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		var callback struct{ Data struct{ Stream_alias string } }
		if err != nil || !isGenuine(r.Header, body) || json.Unmarshal(body, &callback) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		// webhook-id is the same for every attempt: put a unique column on it
		fmt.Println(r.Header.Get("webhook-id"), callback.Data.Stream_alias)
	})
	port := os.Getenv("PORT")
	if port == "" {
		port = "8000"
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+port, nil))
}
