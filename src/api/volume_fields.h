// Private to api/: the field tables of volumes.h.
#pragma once

#include "api/host_config_fields.h"
#include "api/volumes.h"

namespace proa {

FIELDS(VolumeUsage, always("RefCount", &T::ref_count), always("Size", &T::size));
FIELDS(VolumeResource, optional("CreatedAt", &T::created_at), always("Driver", &T::driver),
       nullable("Labels", &T::labels), always("Mountpoint", &T::mountpoint), always("Name", &T::name),
       nullable("Options", &T::options), always("Scope", &T::scope), optional("UsageData", &T::usage_data));
FIELDS(VolumeCreateRequest, always("Name", &T::name), always("Driver", &T::driver),
       always("DriverOpts", &T::driver_opts), always("Labels", &T::labels));
FIELDS(VolumeListResponse, always("Volumes", &T::volumes), nullable("Warnings", &T::warnings));
FIELDS(VolumesPruneReport, nullable("VolumesDeleted", &T::volumes_deleted),
       always("SpaceReclaimed", &T::space_reclaimed));

}  // namespace proa
