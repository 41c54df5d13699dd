# A survey host: load, serve, status, simulate, export, backup. It holds no torch and trains nothing.
FROM python:3.11-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/glimpse \
 && /opt/glimpse/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[postgres,prolific]'

FROM python:3.11-slim
RUN useradd --uid 1000 --user-group --no-create-home --shell /usr/sbin/nologin glimpse \
 && install --directory --owner=glimpse --group=glimpse --mode=700 /workspace
COPY --from=build /opt/glimpse /opt/glimpse
ENV PATH=/opt/glimpse/bin:$PATH GLIMPSE_WORKSPACE=/workspace PYTHONUNBUFFERED=1
USER 1000
WORKDIR /workspace
VOLUME /workspace
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:5000/healthz', timeout=4)"]
ENTRYPOINT ["study_app"]
CMD ["serve", "--host", "0.0.0.0"]
