# `cmake --install` and `cpack -G DEB` (target "package").
include(GNUInstallDirs)

install(TARGETS proa proad proa-runtime RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} OPTIONAL)
# proad looks for the programs that it starts beside itself.
install(TARGETS proa-shim proa-init RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} OPTIONAL)
install(FILES README.md ARCHITECTURE.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/proa.service DESTINATION /lib/systemd/system)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME proa)
set(CPACK_PACKAGE_CONTACT "The Proa project <maintainers@example.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "container engine: docker's commands and API, a few small native programs")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "nftables, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${CMAKE_SOURCE_DIR}/packaging/postinst;${CMAKE_SOURCE_DIR}/packaging/prerm;${CMAKE_SOURCE_DIR}/packaging/postrm")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
include(CPack)
