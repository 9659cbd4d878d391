// What the tests of the registry share: profile texts, and a registry on a store of its own.
#ifndef CHARTLY_CONTROL_REGISTRY_REGISTRY_FIXTURE_TEST_H_
#define CHARTLY_CONTROL_REGISTRY_REGISTRY_FIXTURE_TEST_H_

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/clock/clock.h"
#include "common/state/state_store.h"
#include "common/status/status.h"
#include "control/registry/registry.h"
#include "test/support/test.h"

namespace chartly::registry {

inline std::string ProfileText(const std::string& id, const std::string& version = "1.0.0",
                               const std::string& description = "plain") {
  return absl::StrCat("id: ", id, "\nname: Name of ", id, "\nversion: ", version, "\ndescription: ", description,
                      R"(
labels: {domain: test}
source: {type: file, path: rows.json, format: json}
schedule: {enabled: true, interval: 1h, jitter: 10s}
mapping:
  country: dims.geo.country
  year: {to: dims.time.year, type: integer}
  value: {to: measures.gdp, type: decimal}
  note: attrs.note
key: [dims.geo.country]
)");
}

struct RegistryFixture {
  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<StateStore> state = OpenEmbeddedStateStore(dir.File("s"), clock).value();
  Registry registry{*state, clock};

  absl::StatusOr<v1::Profile> Create(const std::string& content) {
    v1::CreateProfileRequest request;
    request.set_content(content);
    request.set_filename("test.yaml");
    return registry.Create(request, "ann");
  }
  absl::StatusOr<v1::Profile> Update(const std::string& id, const std::string& content) {
    v1::UpdateProfileRequest request;
    request.set_name("profiles/" + id);
    request.set_content(content);
    return registry.Update(request, "ann");
  }
  absl::StatusOr<v1::Profile> UpdateAt(const std::string& id, const std::string& content, const std::string& channel,
                                       bool allow_breaking = false) {
    v1::UpdateProfileRequest request;
    request.set_name("profiles/" + id);
    request.set_content(content);
    request.set_channel(channel);
    request.set_allow_breaking(allow_breaking);
    return registry.Update(request, "ann");
  }
  absl::StatusOr<v1::ProfileChannels> Promote(const std::string& id, const std::string& channel,
                                              bool allow_breaking = false) {
    v1::PromoteProfileRequest request;
    request.set_name("profiles/" + id);
    request.set_channel(channel);
    request.set_reason("tested");
    request.set_allow_breaking(allow_breaking);
    return registry.Promote(request, "bob");
  }
  absl::StatusOr<v1::ProfileChannels> RollBack(const std::string& id, const std::string& channel = "",
                                               const std::string& revision = "") {
    v1::RollBackProfileRequest request;
    request.set_name("profiles/" + id);
    request.set_channel(channel);
    request.set_revision(revision);
    request.set_reason("it was wrong");
    return registry.RollBack(request, "bob");
  }
  // "dev 1.1.0, prod 1.0.0"
  std::string Channels(const std::string& id) {
    v1::GetProfileChannelsRequest request;
    request.set_name("profiles/" + id);
    auto channels = registry.Channels(request);
    if (!channels.ok()) return Reason(channels.status());
    std::string text;
    for (const v1::ChannelPointer& pointer : channels->pointers()) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", pointer.channel(), " ", pointer.version());
    }
    return text;
  }
  absl::StatusOr<v1::Profile> Get(const std::string& name) {
    v1::GetProfileRequest request;
    request.set_name("profiles/" + name);
    return registry.Get(request);
  }
  absl::Status Delete(const std::string& id) {
    v1::DeleteProfileRequest request;
    request.set_name("profiles/" + id);
    return registry.Delete(request, "ann");
  }
  absl::StatusOr<v1::Profile> SetSchedule(const std::string& id, const std::string& interval,
                                          const std::string& jitter = "") {
    v1::SetProfileScheduleRequest request;
    request.set_name("profiles/" + id);
    request.set_interval(interval);
    request.set_jitter(jitter);
    return registry.SetSchedule(request);
  }
  absl::StatusOr<v1::Profile> Pause(const std::string& id, const std::string& why) {
    v1::PauseProfileRequest request;
    request.set_name("profiles/" + id);
    request.set_pause_reason(why);
    return registry.Pause(request);
  }
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_REGISTRY_FIXTURE_TEST_H_
