#include "cli/doctor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace chartly::cli {

absl::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return "ok";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      break;
  }
  return "error";
}

const std::vector<DoctorCode>& DoctorCodes() {
  constexpr Severity kWarning = Severity::kWarning;
  constexpr Severity kError = Severity::kError;
  static const auto& codes = *new std::vector<DoctorCode>{
      {"DOCTOR_ADDRESS_INVALID", "control plane", kError, "an address in the flags or the environment is none",
       "write it as http://host:8090 (CHARTLY_URL, --control-plane) or host:port"},
      {"DOCTOR_DNS_FAILED", "dns", kError, "the name of a host has no address here",
       "check the spelling and /etc/resolv.conf; getent hosts NAME must answer"},
      {"DOCTOR_CONTROL_PLANE_UNREACHABLE", "control plane", kError, "the gateway does not answer",
       "check that it runs, CHARTLY_URL, and the firewall between"},
      {"DOCTOR_TLS_FAILED", "tls", kError, "the gateway did not prove who it is",
       "use the name in its certificate; put its authority into the store of this machine (update-ca-certificates)"},
      {"DOCTOR_AUTHORITIES_MISSING", "tls", kWarning, "this machine trusts no certificate authority",
       "install the package ca-certificates"},
      {"DOCTOR_PORT_UNREACHABLE", "ports", kError, "a part of the control plane takes no connection",
       "check that it runs there and that the firewall lets the port through; if it lies elsewhere, name the address "
       "with --coordinator or --aggregator"},
      {"DOCTOR_CLOCK_DRIFTS", "clock", kWarning, "the clock differs from the control plane's by more than 3 seconds",
       "let the clock be set (timedatectl set-ntp true)"},
      {"DOCTOR_CLOCK_WRONG", "clock", kError, "the clock differs from the control plane's by more than a minute",
       "set the clock (timedatectl set-ntp true): certificates, tokens and watermarks depend on it"},
      {"DOCTOR_PROXY_IGNORED", "proxy", kWarning, "a proxy is set in the environment, and drones do not use it",
       "see that sources and control plane are reached without it, or unset the variable"},
      {"DOCTOR_EGRESS_INVALID", "egress", kError, "a range of --egress-allow or CHARTLY_EGRESS_ALLOW is none",
       "write each as an address or CIDR, such as 10.1.0.0/16: a drone does not start otherwise"},
      {"DOCTOR_EGRESS_DENIED", "egress", kError, "a host of a profile has an address that this drone may not connect",
       "if it is meant to be reached, start the drone with --egress-allow ADDRESS, and add it to egress of the consent "
       "file"},
      {"DOCTOR_CONSENT_INVALID", "consent", kError, "the consent file cannot be read or has faults",
       "correct it: a drone does not start otherwise"},
      {"DOCTOR_CONSENT_DENIED", "consent", kError, "a profile wants more than the owner of this host allows",
       "change the profile, have another drone do it (labels), or widen the consent file"},
      {"DOCTOR_CA_FILE_INVALID", "tls", kError, "the file of --ca-file is missing or holds no certificate",
       "give a PEM file of certificate authorities: a drone does not start otherwise"},
      {"DOCTOR_KEY_MISSING", "credentials", kError, "there is no key for the control plane",
       "give the drone --key-file, CHARTLY_KEY_FILE or CHARTLY_KEY"},
      {"DOCTOR_KEY_REFUSED", "credentials", kError, "the control plane does not let this key write",
       "use a key that may write; on one machine it lies in $CHARTLY_DATA/admin.key"},
      {"DOCTOR_SECRET_MISSING", "credentials", kError, "a secret that a profile names is not on this host",
       "write it to SECRETS_DIR/NAME/KEY, or set CHARTLY_SECRET_NAME_KEY"},
      {"DOCTOR_SECRET_EXPOSED", "credentials", kError, "a secret may be read by every user of this host",
       "chmod o= FILE, and replace the secret if others may have read it"},
      {"DOCTOR_FILES_LIMIT_LOW", "quota", kWarning, "the process may open fewer than 1024 files",
       "raise it: ulimit -n 4096, or LimitNOFILE=4096 in the unit"},
      {"DOCTOR_DATA_MISSING", "disk", kWarning, "the data folder does not exist",
       "name the drone's folder with --data; if no drone ran here yet, it makes the folder when it starts"},
      {"DOCTOR_DATA_UNUSABLE", "disk", kError, "the data folder cannot be written",
       "name the drone's folder with --data, and run the doctor as the drone's user"},
      {"DOCTOR_DISK_FULL", "disk", kError, "fewer than 64 MiB are free where the spool lies",
       "make room, or move the data folder"},
      {"DOCTOR_DISK_LOW", "disk", kWarning, "the disk is full before the spool is",
       "make room, or give the drone a smaller --spool-bytes"},
      {"DOCTOR_FSYNC_SLOW", "disk", kWarning, "making data durable takes longer than 50 ms",
       "use a local disk for the data folder, or one that is less busy"},
      {"DOCTOR_SPOOL_DAMAGED", "spool", kWarning, "parts of the spool were damaged on disk and set aside",
       "read the log for the lost range, check the disk (dmesg, smartctl), then delete the files *.damaged"},
      {"DOCTOR_PROFILE_INVALID", "mapping", kError, "a profile has faults",
       "chartly profile validate FILE shows all of them with lines"},
      {"DOCTOR_MAPPING_FAILED", "mapping", kError, "the first page of a profile could not be fetched and read",
       "chartly profile test FILE shows the whole run"},
      {"DOCTOR_NO_RECORDS", "mapping", kWarning, "the first page of a profile gives no record",
       "check source.records and filter with chartly profile test FILE"},
      {"DOCTOR_ROWS_QUARANTINED", "mapping", kWarning, "rows of the first page break the profile's contract",
       "chartly profile test FILE names field and reason of each"},
  };
  return codes;
}

std::string DoctorDocument() {
  std::string out =
      "# Findings of chartly doctor\n\n"
      "Run it on the host of a drone, as the drone's user and with the drone's flags: it looks at names, TLS, ports,\n"
      "clock, proxies, credentials, limits, disk, spool, consent, and the profiles assigned to the drone: their hosts "
      "and\n"
      "secrets. With `--profile FILE` it also tries the first page of a source. It changes nothing. `--output json` "
      "gives\n"
      "the same for programs. The exit code is 1 if there is an error.\n"
      "Generated from `cli/doctor.cc`.\n\n"
      "| Code | Check | Severity | Cause | Fix |\n|---|---|---|---|---|\n";
  for (const DoctorCode& code : DoctorCodes()) {
    absl::StrAppend(&out, "| `", code.code, "` | ", code.check, " | ", SeverityName(code.severity), " | ", code.cause,
                    " | ", code.fix, " |\n");
  }
  return out;
}

void Diagnosis::Good(absl::string_view check, absl::string_view subject, absl::string_view seen) {
  findings_.push_back({std::string(check), Severity::kOk, "", std::string(subject), std::string(seen), ""});
}

void Diagnosis::Found(absl::string_view code, absl::string_view subject, absl::string_view cause,
                      absl::string_view fix) {
  const std::vector<DoctorCode>& codes = DoctorCodes();
  auto known = std::find_if(codes.begin(), codes.end(), [&](const DoctorCode& entry) { return entry.code == code; });
  findings_.push_back({known->check, known->severity, known->code, std::string(subject), std::string(cause),
                       fix.empty() ? known->fix : std::string(fix)});
}

int64_t Diagnosis::Count(Severity severity) const {
  return std::count_if(findings_.begin(), findings_.end(),
                       [&](const Finding& finding) { return finding.severity == severity; });
}

}  // namespace chartly::cli
