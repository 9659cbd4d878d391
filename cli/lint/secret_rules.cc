// Secrets stay out of objects: by kind, by shape and by chance of their characters.
#include <array>
#include <cmath>
#include <functional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/lint/rule.h"
#include "re2/re2.h"

namespace chartly::cli {
namespace {

using Manifests = std::vector<Manifest>;

// A random text of letters and digits has about five bits a character, words of people and paths have under four.
constexpr double kRandomBits = 4.3;

double BitsPerCharacter(absl::string_view text) {
  std::array<int, 256> counts = {};
  for (unsigned char c : text) ++counts[c];
  double bits = 0;
  for (int count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(text.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

// What looks like a secret in a text; empty if nothing does. Never the secret itself.
std::string SecretIn(const std::string& text) {
  static const RE2* const kKey = new RE2("chk_[0-9a-f]{16}");
  static const RE2* const kPem = new RE2("-----BEGIN [A-Z ]*PRIVATE KEY");
  static const RE2* const kCloud = new RE2("AKIA[0-9A-Z]{16}");
  static const RE2* const kAssigned = new RE2("(?i)(password|token|api_?key|secret)\\s*[:=]\\s*['\"]?[\\w+/-]{12,}");
  static const RE2* const kDigest = new RE2("@?sha256:[0-9a-f]{64}");
  static const RE2* const kLong = new RE2("([A-Za-z0-9+/_]{32,})");
  if (RE2::PartialMatch(text, *kKey)) return "a key of Chartly";
  if (RE2::PartialMatch(text, *kPem)) return "a private key";
  if (RE2::PartialMatch(text, *kCloud)) return "a key of a cloud account";
  std::string name;
  if (RE2::PartialMatch(text, *kAssigned, &name)) return absl::StrCat("a value for ", name);
  std::string rest = text;
  RE2::GlobalReplace(&rest, *kDigest, "");
  re2::StringPiece left(rest), word;
  while (RE2::FindAndConsume(&left, *kLong, &word)) {
    if (BitsPerCharacter({word.data(), word.size()}) >= kRandomBits) {
      return absl::StrCat("a random text of ", word.size(), " characters");
    }
  }
  return "";
}

void EachText(const YamlNode& node, const std::function<void(const YamlNode&)>& take) {
  if (node.kind == YamlNode::Kind::kScalar) take(node);
  for (const YamlEntry& entry : node.entries) EachText(entry.value, take);
  for (const YamlNode& item : node.items) EachText(item, take);
}

void NoSecrets(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    const bool filled = Look(&manifest.root, {"data"}) != nullptr || Look(&manifest.root, {"stringData"}) != nullptr;
    if (manifest.kind() == "Secret" && filled) {
      report.Add(manifest, nullptr,
                 "a Secret with its data stands in a manifest; make it in the cluster or by a manager "
                 "of secrets, and refer to it");
      continue;
    }
    for (const YamlEntry& entry : manifest.root.entries) {
      if (entry.key == "metadata") continue;  // names and digests of other objects
      EachText(entry.value, [&](const YamlNode& node) {
        const std::string found = SecretIn(node.text);
        if (found.empty()) return;
        report.Add(manifest, &node,
                   absl::StrCat("this looks like ", found,
                                "; put it into a Secret outside the manifests "
                                "and refer to it"));
      });
    }
  }
}

void ByReference(const Manifests& manifests, LintReport& report) {
  static const RE2* const kName = new RE2("(?i)KEY|TOKEN|PASSWORD|SECRET|CREDENTIAL");
  for (const Manifest& manifest : manifests) {
    if (!manifest.has_pods()) continue;
    for (const YamlNode* container : ContainersOf(*manifest.pod())) {
      for (const YamlNode& variable : ItemsAt(container, {"env"})) {
        const std::string name = TextAt(&variable, {"name"});
        const bool is_path = absl::EndsWith(name, "_FILE") || absl::EndsWith(name, "_PATH");
        if (is_path || !RE2::PartialMatch(name, *kName)) continue;
        if (Look(&variable, {"valueFrom", "secretKeyRef"}) != nullptr) continue;
        report.Add(manifest, &variable,
                   absl::StrCat("the variable ", name,
                                " holds its value as text; use "
                                "valueFrom.secretKeyRef, or mount the Secret"));
      }
    }
  }
}

void ConfigMapsAreNotSecret(const Manifests& manifests, LintReport& report) {
  static const RE2* const kName = new RE2("(?i)(^|_|-|\\.)(password|secret|token|api_?key|private_?key)$");
  for (const Manifest& manifest : manifests) {
    if (manifest.kind() != "ConfigMap") continue;
    const YamlNode* data = Look(&manifest.root, {"data"});
    if (data == nullptr) continue;
    for (const YamlEntry& entry : data->entries) {
      if (!RE2::PartialMatch(entry.key, *kName) || entry.value.text.empty()) continue;
      report.Add(manifest, &entry.value,
                 absl::StrCat("the key ", entry.key,
                              " of a ConfigMap is named like a secret; put "
                              "it into a Secret outside the manifests"));
    }
  }
}

// The API takes a list with a name twice, and the later value wins without a word.
void OneValueEach(const Manifest& manifest, LintReport& report) {
  for (const YamlNode* container : ContainersOf(*manifest.pod())) {
    std::set<std::string> seen;
    for (const YamlNode& variable : ItemsAt(container, {"env"})) {
      const std::string name = TextAt(&variable, {"name"});
      if (seen.insert(name).second) continue;
      report.Add(manifest, &variable, absl::StrCat("the variable ", name, " stands here twice; keep one of the two"));
    }
  }
}

void NoTemplating(const Manifests& manifests, LintReport& report) {
  static const RE2* const kLeft = new RE2("\\{\\{|\\$\\{|<no value>");
  for (const Manifest& manifest : manifests) {
    if (manifest.has_pods()) OneValueEach(manifest, report);
    for (const YamlEntry& entry : manifest.root.entries) {
      // Texts of a ConfigMap belong to the program that reads them; Grafana has placeholders of its own.
      if (manifest.kind() == "ConfigMap" && entry.key != "metadata") continue;
      EachText(entry.value, [&](const YamlNode& node) {
        if (RE2::PartialMatch(node.text, *kLeft)) {
          report.Add(manifest, &node, "a placeholder is left here; render the manifest whole");
        }
      });
    }
  }
}

}  // namespace

std::vector<LintRule> SecretRules() {
  return {{"E66", "no object holds a secret", NoSecrets},
          {"E67", "secrets come by reference", ByReference},
          {"F78", "ConfigMaps hold no secret", ConfigMapsAreNotSecret},
          {"F83", "manifests are explicit, with nothing left to fill in and nothing said twice", NoTemplating}};
}

}  // namespace chartly::cli
