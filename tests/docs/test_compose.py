"""compose.yaml and the Dockerfile: what they promise, read from the files themselves."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jobchurn.settings import Settings
from jobchurn.stack.airflow import airflow_environment

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose.yaml"
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
SECRETS = ("postgres", "owner", "api", "ingestion", "app", "webapp", "airflow", "grafana")
ONE_SHOT = {"secrets", "init", "bootstrap", "feed"}


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


trial = loaded(ROOT / "deploy" / "try_services.py")
SERVICES = trial.services_of(COMPOSE, {})


@pytest.fixture(params=sorted(SERVICES))
def service(request):
    return SERVICES[request.param]


def mounts(name):
    return {entry.split(":")[0] for entry in SERVICES[name].get("volumes", [])}


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("plain", {}, "plain"),
        ("${A}", {}, ""),
        ("${A:-b}", {}, "b"),
        ("${A:-b}", {"A": ""}, "b"),
        ("${A:-b}", {"A": "c"}, "c"),
        ("${A:+/x}", {}, ""),
        ("${A:+/x}", {"A": "c"}, "/x"),
        ("${A:-http://h:${B:-1}}/", {}, "http://h:1/"),
        ("${A:-http://h:${B:-1}}/", {"B": "2"}, "http://h:2/"),
        ("$$(cat ${A:-b})", {}, "$(cat b)"),
    ],
)
def test_values_are_interpolated_as_compose_does(text, environment, expected):
    assert trial.interpolated(text, environment) == expected


def test_the_services_are_those_of_the_house():
    assert set(SERVICES) == ONE_SHOT | {
        "postgres",
        "api",
        "webapp",
        "airflow-apiserver",
        "airflow-scheduler",
        "airflow-dag-processor",
        "grafana",
        "tidy",
    }


def test_every_service_runs_with_as_little_as_it_can(service):
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert not service.keys() & {"privileged", "pid", "ipc", "devices"}


def test_only_postgres_keeps_capabilities():
    assert [name for name, service in SERVICES.items() if "cap_add" in service] == ["postgres"]


def test_services_wait_for_health_or_for_an_end_without_fault(service):
    for needed, how in service.get("depends_on", {}).items():
        expected = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
        assert how == {"condition": expected}


def test_every_lasting_service_has_a_health_check_and_comes_back():
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name not in ONE_SHOT)
        assert (service["restart"] == "unless-stopped") == (name not in ONE_SHOT)


def test_the_order_of_start_has_no_circle():
    order = list(trial.in_order(SERVICES))
    assert order[0] == "secrets"
    for earlier, later in [
        ("postgres", "init"),
        ("init", "bootstrap"),
        ("bootstrap", "api"),
        ("api", "webapp"),
        ("airflow-apiserver", "airflow-scheduler"),
        ("api", "airflow-scheduler"),
    ]:
        assert order.index(earlier) < order.index(later)


def test_a_circle_of_services_is_noticed():
    with pytest.raises(ValueError, match="circle"):
        list(trial.in_order({"a": {"depends_on": {"b": {}}}, "b": {"depends_on": {"a": {}}}}))


def test_ports_are_published_on_this_machine_alone_and_can_be_moved():
    moved = {"API_PORT": "1", "WEBAPP_PORT": "2", "AIRFLOW_PORT": "3", "GRAFANA_PORT": "4"}
    ports = {
        name: service["ports"]
        for name, service in trial.services_of(COMPOSE, moved).items()
        if "ports" in service
    }
    assert ports == {
        "api": ["127.0.0.1:1:8000"],
        "webapp": ["127.0.0.1:2:8501"],
        "airflow-apiserver": ["127.0.0.1:3:8080"],
        "grafana": ["127.0.0.1:4:3000"],
    }
    published = [entry for service in SERVICES.values() for entry in service.get("ports", [])]
    assert sorted(published) == [
        f"127.0.0.1:{port}" for port in ("3000:3000", "8000:8000", "8080:8080", "8501:8501")
    ]


def test_the_database_is_reached_from_inside_alone():
    networks = yaml.safe_load(COMPOSE.read_text())["networks"]
    assert networks["inside"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert "ports" not in SERVICES["postgres"]
    assert SERVICES["webapp"]["networks"] == ["outside"]


def test_each_secret_is_mounted_only_where_it_is_read():
    readers = {
        secret: {name for name in SERVICES if f"secrets-{secret}" in mounts(name)}
        for secret in SECRETS
    }
    assert readers == {
        "postgres": {"secrets", "init", "postgres"},
        "owner": {"secrets", "init", "bootstrap", "tidy"},
        "api": {"secrets", "api"},
        "ingestion": {"secrets", "feed", "airflow-scheduler"},
        "webapp": {"secrets", "webapp"},
        "app": {"secrets", "bootstrap", "feed", "api", "airflow-scheduler"},
        "airflow": {
            "secrets",
            "init",
            "airflow-apiserver",
            "airflow-scheduler",
            "airflow-dag-processor",
        },
        "grafana": {"secrets", "init", "grafana"},
    }


def test_secrets_are_mounted_for_reading_save_where_they_are_made_or_locked():
    writable = {
        (name, entry.split(":")[0])
        for name, service in SERVICES.items()
        for entry in service.get("volumes", [])
        if entry.startswith("secrets-") and not entry.endswith(":ro")
    }
    made = {("secrets", f"secrets-{kind}") for kind in SECRETS}
    assert writable == made | {("airflow-apiserver", "secrets-airflow")}


def test_webhooks_are_known_to_the_service_that_sends_alerts_alone():
    known = [name for name, s in SERVICES.items() if "TEAMS_WEBHOOK" in s.get("environment", {})]
    assert known == ["airflow-scheduler"]


def test_no_secret_is_written_into_a_file():
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|_KEY|WEBHOOK|_CONN|DATABASE_URL", variable):
                assert value == "" or value.startswith("/secrets/"), (name, variable)
    for text in (COMPOSE.read_text(), DOCKERFILE, (ROOT / ".env.example").read_text()):
        assert not re.search(r"://[^/\s]+:[^/\s@]+@", text)


def test_every_setting_that_is_passed_on_is_one():
    ours = set(SERVICES["bootstrap"]["environment"]) | set(SERVICES["api"]["environment"])
    ours |= set(SERVICES["tidy"]["environment"])
    ours |= {
        variable
        for variable in SERVICES["airflow-scheduler"]["environment"]
        if not variable.startswith("AIRFLOW") and variable not in ("PYTHONPATH", "MALLOC_ARENA_MAX")
    }
    assert {variable.lower() for variable in ours} <= set(Settings.model_fields)


def test_the_example_explains_each_variable_that_may_be_set():
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    explained = re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert {name for name, _ in explained} == asked
    # Uncommented as it stands, the example changes nothing but the data set's path.
    defaults = dict(explained) | {"JOBCHURN_CSV": ""}
    same = trial.services_of(COMPOSE, defaults)
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            default = defaults.get(variable, "")
            assert same[name]["environment"][variable] == (value or default)
        assert same[name].get("ports") == service.get("ports")
        assert same[name]["image"] == service["image"]


def test_airflow_is_set_up_as_by_the_command_line(tmp_path):
    native = airflow_environment(
        Settings(jobchurn_home=tmp_path), "postgresql://u:p@h:1/jobchurn", demo=False
    )
    native = {name: value for name, value in native.items() if name.startswith("AIRFLOW__")}
    here = {
        name: value
        for name, value in SERVICES["airflow-scheduler"]["environment"].items()
        if name.startswith("AIRFLOW__")
    }
    from_secrets = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
    }
    plugins = {"AIRFLOW__CORE__PLUGINS_FOLDER"}
    assert set(here) | plugins == set(native) - from_secrets | plugins
    of_the_place = plugins | {
        "AIRFLOW__CORE__DAGS_FOLDER",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
        "AIRFLOW__API__HOST",
        "AIRFLOW__API__BASE_URL",
    }
    for name in set(here) - of_the_place:
        assert here[name] == native[name], name


def test_each_image_is_built_from_the_one_dockerfile():
    built = {
        service["image"]: service["build"]["target"]
        for service in SERVICES.values()
        if "build" in service
    }
    assert built == {"jobchurn-api:local": "api", "jobchurn-full:local": "full"}
    assert {s["image"] for s in SERVICES.values() if "build" not in s} == {
        "postgres:17-bookworm",
        "grafana/grafana:12.4.10",
    }


def test_both_images_run_as_an_ordinary_user_and_install_by_hash():
    finals = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[-2:]
    assert [re.search(r" AS (\w+)", stage)[1] for stage in finals] == ["full", "api"]
    for stage in finals:
        assert "USER 10001:10001" in stage
        assert "HEALTHCHECK" in stage
        assert "LABEL" in stage
    installs = re.findall(r"pip install(.*?)(?=\n[A-Z]|\n&&|$)", DOCKERFILE, re.DOTALL)
    assert installs
    for install in installs:
        assert "--require-hashes" in install or "--no-deps /wheels/" in install
    assert "://" not in DOCKERFILE.replace('"http://127.0.0.1:8000/health"', "")


def test_the_builder_is_sent_what_the_images_copy_and_no_more():
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for source in [word for word in line.split() if not word.startswith("--")][:-1]
    }
    for source in copied:
        assert (ROOT / source).exists()
        assert any(Path(source).is_relative_to(place) for place in allowed), source
    for place in allowed:
        assert any(Path(source).is_relative_to(place) for source in copied), place


def test_grafana_comes_up_with_the_rest_and_finds_our_files():
    grafana = SERVICES["grafana"]
    assert "profiles" not in grafana
    assert "./grafana:/etc/jobchurn:ro" in grafana["volumes"]
    program, script = grafana["entrypoint"]
    assert program == "/bin/sh"
    assert (ROOT / "grafana" / Path(script).relative_to("/etc/jobchurn")).is_file()
    assert Path(script).name == "start.sh"
    assert grafana["command"] == ["/run.sh"]


def test_grafana_is_given_every_variable_that_its_files_name():
    named = {
        variable
        for path in (ROOT / "grafana" / "provisioning").rglob("*.yaml")
        for variable in re.findall(r"\$\{?([A-Z][A-Z_]+)", path.read_text())
    }
    from_secrets = {"GRAFANA_DATABASE_PASSWORD"}
    from_its_start = {"GRAFANA_DASHBOARDS"}
    assert named >= from_secrets | from_its_start
    assert named - from_secrets - from_its_start <= SERVICES["grafana"]["environment"].keys()


def test_grafana_is_known_by_one_address_to_itself_and_to_who_links_it():
    address = SERVICES["grafana"]["environment"]["GF_SERVER_ROOT_URL"]
    assert SERVICES["airflow-scheduler"]["environment"]["GRAFANA_URL"] == address


@pytest.mark.parametrize("script", ["entrypoint.sh", "build_images.sh", "init/init.sh"])
def test_shell_scripts_are_well_formed(script):
    subprocess.run(["sh", "-n", ROOT / "deploy" / script], check=True)


def test_programs_of_the_images_are_where_compose_looks_for_them():
    for service in SERVICES.values():
        for word in map(str, service.get("command") or []):
            if word.startswith("/app/init/"):
                assert (ROOT / "deploy" / "init" / Path(word).name).is_file()
            if word.startswith("/app/webapp/"):
                assert (ROOT / "webapp" / Path(word).name).is_file()
    environment = SERVICES["airflow-scheduler"]["environment"]
    assert (ROOT / "dags").is_dir()
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == "/app/dags"
    assert (ROOT / "src/jobchurn/stack/airflow_settings/airflow_local_settings.py").is_file()
