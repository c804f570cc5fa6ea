// Private to api/: the field tables of images.h.
#pragma once

#include "api/container_fields.h"
#include "api/images.h"

namespace proa {

FIELDS(ImageSummary, always("Containers", &T::containers), always("Created", &T::created), always("Id", &T::id),
       always("Labels", &T::labels), always("ParentId", &T::parent_id), always("RepoDigests", &T::repo_digests),
       always("RepoTags", &T::repo_tags), always("SharedSize", &T::shared_size), always("Size", &T::size));
FIELDS(RootFs, always("Type", &T::type), optional("Layers", &T::layers));
FIELDS(ImageMetadata, always("LastTagTime", &T::last_tag_time));
FIELDS(ImageConfig, always("User", &T::user), optional("ExposedPorts", &T::exposed_ports), nullable("Env", &T::env),
       always("Cmd", &T::cmd), optional("Healthcheck", &T::healthcheck), optional("ArgsEscaped", &T::args_escaped),
       nullable("Volumes", &T::volumes), always("WorkingDir", &T::working_dir), always("Entrypoint", &T::entrypoint),
       always("OnBuild", &T::on_build), nullable("Labels", &T::labels), optional("StopSignal", &T::stop_signal),
       optional("Shell", &T::shell));
FIELDS(ImageInspect, always("Id", &T::id), always("RepoTags", &T::repo_tags), always("RepoDigests", &T::repo_digests),
       always("Parent", &T::parent), always("Comment", &T::comment), optional("Created", &T::created),
       always("DockerVersion", &T::docker_version), always("Author", &T::author), always("Config", &T::config),
       always("Architecture", &T::architecture), optional("Variant", &T::variant), always("Os", &T::os),
       optional("OsVersion", &T::os_version), always("Size", &T::size), always("GraphDriver", &T::graph_driver),
       always("RootFS", &T::root_fs), always("Metadata", &T::metadata));
FIELDS(ImageHistoryItem, always("Id", &T::id), always("Created", &T::created), always("CreatedBy", &T::created_by),
       always("Tags", &T::tags), always("Size", &T::size), always("Comment", &T::comment));
FIELDS(ImageDeleteItem, optional("Untagged", &T::untagged), optional("Deleted", &T::deleted));
FIELDS(ImagesPruneReport, nullable("ImagesDeleted", &T::images_deleted), always("SpaceReclaimed", &T::space_reclaimed));
FIELDS(SearchResult, always("star_count", &T::star_count), always("is_official", &T::is_official),
       always("name", &T::name), always("is_automated", &T::is_automated), always("description", &T::description));
FIELDS(AuthConfig, optional("username", &T::username), optional("password", &T::password), optional("auth", &T::auth),
       optional("serveraddress", &T::server_address), optional("identitytoken", &T::identity_token),
       optional("registrytoken", &T::registry_token));
FIELDS(AuthResponse, always("Status", &T::status), always("IdentityToken", &T::identity_token));

}  // namespace proa
