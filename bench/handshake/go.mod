module github.com/handfast/handfast/bench/handshake

go 1.26.0

require github.com/handfast/handfast v0.0.0

replace github.com/handfast/handfast => ../..
