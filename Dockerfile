# Droste's two commands, where containers run but Debian does not. README.md, "On other systems", says how.
# This processor's, since GRUB's modules for it and the linker are; others emulate it.
FROM --platform=linux/amd64 debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git make
WORKDIR /droste
COPY . .
RUN make setup build
CMD ["make", "run"]
