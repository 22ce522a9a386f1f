# What the project needs, as Debian and Ubuntu packages; the one list of them. Sourced by prepare.sh.
# nixpkgs names: gcc cmake ninja pkg-config musl libseccomp libpcap libmnl nftables cjson openssl sqlite curl scdoc.

# To build and run the gate.
gate_packages="gcc libc6-dev linux-libc-dev cmake ninja-build pkg-config musl-tools libseccomp-dev libpcap-dev libmnl-dev
  libnftables-dev libcjson-dev libssl-dev libsqlite3-dev libcurl4-openssl-dev scdoc"

# To run all tests besides. (clang needs libclang-rt-dev for its sanitizers where it is a package of its own.)
test_packages="git libcriterion-dev clang clang-tidy clang-format cppcheck nftables iproute2 python3-pytest python3-pytest-xdist util-linux
  docker.io busybox-static perl python3-jsonschema python3-junitparser python3-lxml python3-markdown-it bash zsh fish mandoc bubblewrap tinyproxy"
optional_test_packages="libclang-rt-dev"

# To compare its speed with other tools' (tests/bench).
bench_packages="nmap bubblewrap docker.io"

# To run other people's sandboxes under it (ci/sandboxes; some need node and npm besides, from wherever a host has them), and containers under
# gVisor (tests/e2e/test_docker_gvisor.py).
sandbox_packages="bubblewrap socat ripgrep slirp4netns passt firejail systemd-container python3 docker.io
  iptables nftables iproute2 util-linux"
optional_sandbox_packages="runsc"

# To run it on a host of its own (ci/lab). What that host has is listed in ci/lab/image/packages.
lab_packages="qemu-system-x86 mmdebstrap uidmap fakeroot e2fsprogs python3 python3-pip"
