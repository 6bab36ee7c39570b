//! Displays and graphics cards.

use virtbus_conf_base::{Result, YesNo};
use virtbus_conf_domain::domain::devices::graphics::{Gl, Graphics, GraphicsKind, GraphicsType};
use virtbus_conf_domain::domain::devices::video::{Video, VideoBackend, VideoModelType};
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};

/// Which displays the emulator has.
pub(super) fn display(of: Context<'_>, graphics: &Graphics) -> Result<()> {
    let kind = graphics.kind.kind();
    let cap = match &graphics.kind {
        GraphicsKind::Sdl(_) => Cap::Sdl,
        GraphicsKind::Vnc(vnc) => {
            if vnc.power_control.is_some() {
                of.need(
                    Cap::VncPowerControl,
                    "'powerControl' of <graphics type='vnc'>",
                )?;
            }
            Cap::Vnc
        }
        GraphicsKind::Spice(spice) => {
            if is_on(spice.options.gl.as_ref()) {
                of.need(Cap::SpiceGl, "<gl> of <graphics type='spice'>")?;
            }
            Cap::Spice
        }
        GraphicsKind::EglHeadless(_) => Cap::EglHeadless,
        GraphicsKind::Dbus(_) => Cap::DisplayDbus,
        GraphicsKind::Rdp(_) | GraphicsKind::Desktop(_) => {
            return unsupported(format!("QEMU has no <graphics type='{kind}'>"));
        }
    };
    of.need(cap, &format!("<graphics type='{kind}'>"))
}

fn is_on(gl: Option<&Gl>) -> bool {
    gl.is_some_and(|gl| gl.enable == Some(YesNo::Yes))
}

/// Which displays can be beside each other.
pub(super) fn together(of: Context<'_>) -> Result<()> {
    let all = &of.domain.devices.graphics;
    let mut kinds: Vec<GraphicsType> = Vec::new();
    let mut with_gl = 0;
    for graphics in all {
        let kind = graphics.kind.kind();
        if kinds.contains(&kind) {
            return unsupported(format!(
                "only one <graphics> of each type is supported, but there are several of type '{kind}'"
            ));
        }
        kinds.push(kind);
        let has_gl = match &graphics.kind {
            GraphicsKind::Sdl(sdl) => sdl.gl == Some(YesNo::Yes),
            GraphicsKind::Spice(spice) => is_on(spice.options.gl.as_ref()),
            GraphicsKind::Dbus(dbus) => is_on(dbus.gl.as_ref()),
            GraphicsKind::EglHeadless(_) => true,
            GraphicsKind::Vnc(_) | GraphicsKind::Rdp(_) | GraphicsKind::Desktop(_) => false,
        };
        with_gl += usize::from(has_gl);
    }
    if with_gl > 1 {
        return unsupported("multiple <graphics> with OpenGL are not supported by QEMU");
    }
    let shows = |kind: &GraphicsType| matches!(kind, GraphicsType::Vnc | GraphicsType::Spice);
    if kinds.contains(&GraphicsType::EglHeadless)
        && !kinds
            .iter()
            .all(|kind| shows(kind) || *kind == GraphicsType::EglHeadless)
    {
        return unsupported(
            "<graphics type='egl-headless'> is only supported together with those of type 'vnc' and 'spice'",
        );
    }
    Ok(())
}

/// Which graphics cards the emulator has.
pub(super) fn video(of: Context<'_>, video: &Video) -> Result<()> {
    let Video {
        driver,
        model: Some(model),
        info: _,
    } = video
    else {
        return Ok(());
    };
    let Some(kind) = model.kind else {
        return unsupported(
            "<video> needs a model, as the emulator has none of the usual graphics cards",
        );
    };
    let backend = driver.as_ref().and_then(|driver| driver.name);
    let by_vhost_user = backend == Some(VideoBackend::Vhostuser);
    if driver
        .as_ref()
        .is_some_and(|driver| driver.vgaconf.is_some())
    {
        return unsupported("'vgaconf' of the <driver> of <video> is for bhyve, not for QEMU");
    }
    let acceleration = model.acceleration.as_ref();
    if acceleration.is_some_and(|acceleration| acceleration.accel2d == Some(YesNo::Yes)) {
        return unsupported("accel2d='yes' of <video> is not supported by QEMU");
    }
    let has_cap = match kind {
        VideoModelType::Vga => of.has(Cap::Vga),
        VideoModelType::Cirrus => of.has(Cap::CirrusVga),
        VideoModelType::Vmvga => of.has(Cap::VmwareSvga),
        VideoModelType::Qxl => of.has(Cap::Qxl),
        VideoModelType::Virtio if by_vhost_user => of.has(Cap::VhostUserGpu),
        VideoModelType::Virtio => of.has(Cap::VirtioGpu),
        VideoModelType::Bochs => of.has(Cap::BochsDisplay),
        VideoModelType::Ramfb => of.has(Cap::Ramfb),
        VideoModelType::None => true,
        VideoModelType::Xen
        | VideoModelType::Vbox
        | VideoModelType::Parallels
        | VideoModelType::Gop => false,
    };
    if !has_cap {
        return Err(of.lacks(&format!("<video> of model '{kind}'")));
    }
    let is_primary = model.primary == Some(YesNo::Yes);
    let can_be_second = matches!(kind, VideoModelType::Qxl | VideoModelType::Virtio);
    if !is_primary && !can_be_second && kind != VideoModelType::None {
        return unsupported(format!(
            "a graphics card of model '{kind}' must be the primary <video>"
        ));
    }
    if model.blob.is_some() {
        of.need(Cap::VirtioGpuBlob, "'blob' of <video>")?;
    }
    Ok(())
}
