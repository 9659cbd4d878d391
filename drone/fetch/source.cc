#include "drone/fetch/source.h"

#include "drone/fetch/file_source.h"
#include "drone/fetch/http_source.h"
#include "drone/fetch/postgres_source.h"
#include "drone/fetch/webhook_source.h"

namespace chartly::drone {

absl::StatusOr<std::unique_ptr<Source>> OpenSource(const Profile& profile, const SourceDeps& deps) {
  switch (profile.source.type) {
    case SourceType::kFile:
      return FileSource::Open(profile, deps);
    case SourceType::kHttpRest:
      return HttpSource::Open(profile, deps);
    case SourceType::kPostgres:
      return PostgresSource::Open(profile, deps);
    case SourceType::kWebhook:
      return std::make_unique<WebhookSource>(profile, deps);
  }
  return absl::UnimplementedError("no source of this type");
}

}  // namespace chartly::drone
