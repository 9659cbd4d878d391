#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/address.h"
#include "common/config/host_id.h"
#include "common/config/parts.h"
#include "common/config/signals.h"
#include "common/crypto/key_file.h"
#include "common/net/http_client.h"
#include "common/profile/profile.h"
#include "common/rpc/connect_polling.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "drone/drone.h"
#include "drone/footprint.h"
#include "drone/sandbox.h"

namespace chartly::drone {
namespace {

struct Flags {
  std::string control_plane = "http://127.0.0.1:8090";
  std::string key;
  std::string key_file;
  std::vector<std::string> egress_allow;
  std::vector<std::string> labels;
  std::string consent_file;
  std::string profile_keys_file;
  std::string log_level = "info";
  DroneConfig config;
};

void Declare(CLI::App& app, Flags& flags) {
  DroneConfig& config = flags.config;
  config.id = HostId("drone");
  config.admin_listen = absl::StrCat("127.0.0.1:", kDroneAdminPort);
  app.add_option("--id", config.id, "Name of this drone; keep it over restarts")->capture_default_str();
  app.add_option("--data", config.data_dir, "Folder for the spool")->capture_default_str();
  app.add_option("--control-plane", flags.control_plane,
                 "URL of the gateway; the other parts are looked for on its host, on the ports after it")
      ->envname("CHARTLY_URL")
      ->capture_default_str();
  app.add_option("--coordinator", config.coordinator, "HOST:PORT of the coordinator, if elsewhere");
  app.add_option("--aggregator", config.aggregator, "HOST:PORT of the aggregator, if elsewhere");
  app.add_option("--auth", config.auth, "HOST:PORT of the auth part, if elsewhere");
  app.add_option("--identity-dir", config.identity_dir,
                 "Folder with the identity that `chartly drone join` made; connections are then TLS and need no key")
      ->envname("CHARTLY_IDENTITY_DIR");
  app.add_option("--audit", config.audit, "HOST:PORT of the audit log, if elsewhere");
  app.add_flag("--witness", config.witness,
               "Keep the checkpoints of the audit log, and alarm if the log is ever not the one that was seen before");
  app.add_option("--witness-key", config.witness_key,
                 "PEM file with a key of the audit log, for --witness (default: the first one seen)");
  app.add_option("--key-file", flags.key_file, "File with the key for the control plane")->envname("CHARTLY_KEY_FILE");
  app.add_option("--source-dir", config.source_dir, "Folder that holds the files of file sources")
      ->capture_default_str();
  app.add_option("--secrets-dir", config.secrets_dir,
                 "Folder of the secrets that profiles name: one folder a secret, one file a key")
      ->envname("CHARTLY_SECRETS_DIR");
  app.add_option("--ca-file", config.ca_file,
                 "PEM file of certificate authorities that sources may have, beside those of this host");
  app.add_option("--egress-allow", flags.egress_allow,
                 "Private address range (CIDR) this drone may fetch from; repeatable")
      ->envname("CHARTLY_EGRESS_ALLOW");
  app.add_option("--consent", flags.consent_file,
                 "File with what profiles may do on this host, which the control plane cannot widen")
      ->envname("CHARTLY_CONSENT");
  app.add_option("--profile-keys", flags.profile_keys_file,
                 "PEM file of public keys; only profiles that one of them signed are run, and none older than before")
      ->envname("CHARTLY_PROFILE_KEYS");
  app.add_option("--label", flags.labels, "NAME=VALUE for placement; repeatable");
  app.add_option("--capacity", config.capacity, "Runs done at once")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--spool-bytes", config.spool_bytes, "Most bytes the spool may take, such as 1GB")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("1GB");
  app.add_option("--capture-bytes", config.capture_bytes,
                 "Most bytes that payloads may take which profiles want kept, such as 1GB; 0 keeps none")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("256MB");
  app.add_option("--admin", config.admin_listen, "HOST:PORT for /health, /ready and /metrics")->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
}

absl::Status BadFlag(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "FLAG_INVALID", message);
}

absl::Status ReadKey(Flags& flags) {
  // A drone that can show who it is shows no key that could do more.
  if (!flags.config.identity_dir.empty()) return absl::OkStatus();
  if (const char* key = std::getenv("CHARTLY_KEY"); key != nullptr && flags.key_file.empty()) {
    flags.config.api_key = key;
    return absl::OkStatus();
  }
  if (flags.key_file.empty()) return absl::OkStatus();
  std::ifstream file(flags.key_file);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  flags.config.api_key = std::string(absl::StripAsciiWhitespace(text));
  if (!flags.config.api_key.empty()) return absl::OkStatus();
  return BadFlag(absl::StrCat("--key-file ", flags.key_file,
                              " cannot be read or is empty; give the file in which the control plane left its key"));
}

absl::Status ReadConsent(Flags& flags) {
  if (flags.consent_file.empty()) return absl::OkStatus();
  std::ifstream file(flags.consent_file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return BadFlag(absl::StrCat("--consent ", flags.consent_file, " cannot be read"));
  absl::StatusOr<Consent> consent = ParseConsent(flags.consent_file, text);
  if (!consent.ok()) return Annotate(consent.status(), "--consent");
  flags.config.consent = *std::move(consent);
  return Annotate(net::EgressPolicy::Create({}, flags.config.consent.egress).status(),
                  absl::StrCat("--consent ", flags.consent_file, ": egress"));
}

absl::Status ReadProfileKeys(Flags& flags) {
  if (flags.profile_keys_file.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<PublicKey>> keys = ReadPublicKeys(flags.profile_keys_file);
  if (!keys.ok()) return Annotate(keys.status(), "--profile-keys");
  flags.config.profile_keys = *std::move(keys);
  return absl::OkStatus();
}

absl::Status ReadLabels(Flags& flags) {
  for (const std::string& label : flags.labels) {
    std::pair<std::string, std::string> parts = absl::StrSplit(label, absl::MaxSplits('=', 1));
    if (parts.first.empty() || label.find('=') == std::string::npos) {
      return BadFlag(absl::StrCat("--label ", label, ": give it as NAME=VALUE"));
    }
    flags.config.labels.insert(std::move(parts));
  }
  return absl::OkStatus();
}

// An address that was not given lies on the control plane's host, at its default distance from the gateway's port.
absl::Status Locate(const Address& gateway, Part part, const char* flag, std::string& address) {
  if (address.empty()) address = Address{gateway.host, PortFor(InfoOf(part), gateway.port)}.ToString();
  return Annotate(ParseAddress(address).status(), flag);
}

absl::Status Complete(Flags& flags) {
  DroneConfig& config = flags.config;
  if (!IsValidId(config.id)) {
    return BadFlag(absl::StrCat("--id '", config.id,
                                "': use lower-case letters, digits, '.', '_' and '-', at most 63, "
                                "beginning with a letter or digit"));
  }
  absl::StatusOr<Address> gateway = ParseAddress(flags.control_plane);
  if (!gateway.ok()) return Annotate(gateway.status(), "--control-plane");
  RETURN_IF_ERROR(Locate(*gateway, Part::kCoordinator, "--coordinator", config.coordinator));
  RETURN_IF_ERROR(Locate(*gateway, Part::kAggregator, "--aggregator", config.aggregator));
  RETURN_IF_ERROR(Locate(*gateway, Part::kAuth, "--auth", config.auth));
  RETURN_IF_ERROR(Locate(*gateway, Part::kAudit, "--audit", config.audit));
  RETURN_IF_ERROR(Annotate(ParseAddress(config.admin_listen).status(), "--admin"));
  for (const std::string& list : flags.egress_allow) {
    for (absl::string_view cidr : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
      config.egress_allow.emplace_back(absl::StripAsciiWhitespace(cidr));
    }
  }
  RETURN_IF_ERROR(Annotate(net::EgressPolicy::Create(config.egress_allow).status(), "--egress-allow"));
  RETURN_IF_ERROR(ReadConsent(flags));
  RETURN_IF_ERROR(ReadProfileKeys(flags));
  RETURN_IF_ERROR(ReadLabels(flags));
  return ReadKey(flags);
}

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "chartly-drone: %s\n", std::string(status.message()).c_str());
  return code;
}

}  // namespace

int RunDrone(int argc, char** argv) {
  KeepHeapSmall();
  BlockStopSignals();
  rpc::PollConnectionsOften();
  CLI::App app("Fetches, normalizes and sends what the control plane orders.", "chartly-drone");
  app.set_version_flag("--version", kVersion);
  Flags flags;
  Declare(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  absl::Status complete = Complete(flags);
  if (!complete.ok()) return Fail(complete, 2);
  InitLog("chartly-drone", flags.log_level);
  absl::Status sandbox = EnterSandbox();
  if (!sandbox.ok()) LogWarn("no sandbox", {{"error", std::string(sandbox.message())}});
  absl::StatusOr<std::unique_ptr<Drone>> drone = Drone::Start(flags.config);
  if (!drone.ok()) return Fail(drone.status(), 1);
  int signal = WaitForStopSignal();
  LogInfo("stopping", {{"signal", std::to_string(signal)}});
  (*drone)->Shutdown();
  absl::Status health = (*drone)->health();
  return health.ok() ? 0 : Fail(health, 1);
}

}  // namespace chartly::drone
