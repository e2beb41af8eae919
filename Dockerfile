# pgtrack serve in a container that holds nothing else: make image
#   docker run -p 6432:6432 -p 8080:8080 -e PGTRACK_UPSTREAM=postgresql://pgtrack:password@db/shop pgtrack
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev libclang-dev make
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin pgtrack --features cloud && packaging/image-root target/release/pgtrack /root-of-image

FROM scratch
COPY --from=build /root-of-image /
USER 10001:10001
ENV PGTRACK_PROXY_LISTEN=0.0.0.0:6432 \
    PGTRACK_DASHBOARD_LISTEN=0.0.0.0:8080 \
    PGTRACK_MONITOR_LISTEN=127.0.0.1:9187
EXPOSE 6432 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/usr/bin/pgtrack", "check", "--running"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/pgtrack"]
CMD ["serve"]
